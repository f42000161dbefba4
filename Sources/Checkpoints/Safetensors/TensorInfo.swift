/// A tensor as the header of a file announces it.
public struct TensorInfo: Hashable, Sendable {
    /// The name in the header, unique in its file.
    public var name: String
    /// The type that the bytes are in.
    public var type: ElementType
    /// Lengths of the dimensions, outermost first; empty for a single value.
    public var shape: [Int]
    /// Where its bytes are, counted from the end of the header.
    public var range: Range<Int>

    /// Elements in all, told from the bytes.
    public var elementCount: Int { range.count / type.byteCount }
    /// Bytes in the file.
    public var byteCount: Int { range.count }
}
