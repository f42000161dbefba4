/// A weight whose rows are blocks of few bits, each with scales of its own.
public struct GGUFBlocks {
    /// Of `uint8`: [rows, bytes of a row]. A row is what the first dimension counts.
    public let bytes: Tensor
    /// What the bytes mean.
    public let format: GGUFBlockType
    /// The lengths of the dimensions, in values.
    public let shape: [Int]

    /// Puts rows of bytes and their meaning together.
    ///
    /// - Parameter shape: of two dimensions or more, whose rows are whole blocks that fill those of
    ///   `bytes`.
    public init(_ bytes: Tensor, format: GGUFBlockType, shape: [Int]) {
        self.bytes = bytes
        self.format = format
        self.shape = shape
    }

    /// The same with other rows of the same width.
    func replacing(_ bytes: Tensor) -> GGUFBlocks {
        GGUFBlocks(bytes, format: format, shape: [bytes.size(0)] + shape.dropFirst())
    }

    /// The same values in a shape of as many; nil where its rows are not whole blocks.
    func reshaped(_ shape: [Int]) throws -> GGUFBlocks? {
        let width = shape.dropFirst().reduce(1, *)
        guard shape.count > 1, width % format.valuesPerBlock == 0 else { return nil }
        let rows = [shape[0], width / format.valuesPerBlock * format.bytesPerBlock]
        return GGUFBlocks(try bytes.reshaped(rows), format: format, shape: shape)
    }

    /// Writes the values, rounded once.
    ///
    /// - Parameter target: of the weight's shape, on the same device.
    public func dequantize(into target: Tensor) throws {
        let width = bytes.size(1) / format.bytesPerBlock * format.valuesPerBlock
        try bytes.dequantizeBlocks(format, into: target.reshaped([bytes.size(0), width]))
    }
}
