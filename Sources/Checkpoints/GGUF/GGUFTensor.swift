/// A tensor as the header of a file announces it.
public struct GGUFTensor: Hashable, Sendable {
    /// The name in the header, unique in its file.
    public var name: String
    /// How its values are stored.
    public var type: GGUFTensorType
    /// Lengths of the dimensions as PyTorch has them, outermost first: rows come before columns.
    /// Files list them the other way round.
    public var shape: [Int]
    /// Where its bytes are, counted from the start of the file.
    public var range: Range<Int>

    /// Bytes in the file.
    public var byteCount: Int { range.count }

    /// The bytes of a row, which is what the last dimension counts.
    public var bytesPerRow: Int {
        (shape.last ?? 1) / type.valuesPerBlock * type.bytesPerBlock
    }
}
