/// Where the values of a parameter come from in a checkpoint of some layout.
public enum WeightRecipe: Hashable, Sendable {
    /// The tensor of this name as it is, up to axes of size 1.
    case tensor(String)
    /// One of several equal parts of the rows of a fused tensor.
    case rows(String, part: Int, of: Int)
    /// The rows with their two halves in the other order.
    case swappedHalves(String)

    /// The tensor that has to be in the file.
    public var source: String {
        switch self {
        case .tensor(let name), .rows(let name, _, _), .swappedHalves(let name): name
        }
    }

    /// Makes the parameter's values from the file's tensor, as a view where that is possible.
    public func callAsFunction(_ stored: Tensor, shape: [Int]) throws -> Tensor {
        switch self {
        case .tensor:
            // A linear layer stored as a 1x1 convolution differs in axes of size 1 only.
            let same = stored.shape.filter { $0 != 1 } == shape.filter { $0 != 1 }
            return same && stored.shape != shape ? try stored.reshaped(shape) : stored
        case .rows(_, let part, let parts):
            guard stored.rank > 0, stored.size(0) % parts == 0 else { return stored }
            return try stored.chunks(parts, along: 0)[part]
        case .swappedHalves:
            guard stored.rank > 0, stored.size(0) % 2 == 0 else { return stored }
            let (first, second) = try stored.halves(along: 0)
            return try .concatenating([second, first], along: 0)
        }
    }
}
