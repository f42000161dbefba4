/// A tensor as the header of a file announces it.
public struct TensorInfo: Hashable, Sendable {
    public var name: String
    public var type: ElementType
    /// Lengths of the dimensions, outermost first; empty for a single value.
    public var shape: [Int]
    /// Where its bytes are, counted from the end of the header.
    public var range: Range<Int>

    public var elementCount: Int { range.count / type.byteCount }
    public var byteCount: Int { range.count }
}
