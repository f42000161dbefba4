/// How the values of a parameter are made of a tensor in a checkpoint.
public enum WeightTransform: Hashable, Sendable {
    /// The tensor of this name as it is, up to axes of size 1.
    case identity(String)
    /// One of several equal parts of the rows of a fused tensor.
    case slice(String, part: Int, of: Int)
    /// The rows with their two halves in the other order.
    case swapHalves(String)
    /// The rows of each head with the two halves interleaved, row by row, as llama.cpp stores
    /// queries and keys whose pairs it rotates side by side.
    case unpermuteRotary(String, headSize: Int)

    /// The tensor that has to be in the file.
    public var source: String {
        switch self {
        case .identity(let name), .slice(let name, _, _), .swapHalves(let name),
            .unpermuteRotary(let name, _):
            name
        }
    }

    /// Makes the parameter's values from the file's weight, as a view where that is possible.
    ///
    /// Only whole rows change places: rows of quantized blocks can be given as well as values.
    ///
    /// - Parameter shape: that of the parameter. What cannot be made of this shape keeps its own.
    public func callAsFunction(_ stored: StoredWeight, shape: [Int]) throws -> StoredWeight {
        switch self {
        case .identity: return try stored.reshaped(shape)
        case .slice(_, let part, let parts):
            guard let rows = stored.shape.first, rows % parts == 0 else { return stored }
            let size = rows / parts
            return try stored.rows([part * size..<(part + 1) * size])
        case .swapHalves:
            guard let rows = stored.shape.first, rows % 2 == 0 else { return stored }
            return try stored.rows([rows / 2..<rows, 0..<rows / 2])
        case .unpermuteRotary(_, let size):
            guard let rows = stored.shape.first, size > 0, size % 2 == 0, rows % size == 0 else {
                return stored
            }
            return try stored.rearranged { rows in
                let pairs = [rows.size(0) / size, size / 2, 2] + rows.shape.dropFirst()
                return try rows.reshaped(pairs).transposed(1, 2).reshaped(rows.shape)
            }
        }
    }
}

extension StoredWeight {
    /// The same in a shape that differs in axes of size 1 only; itself for any other shape.
    ///
    /// A linear layer that is stored as a 1x1 convolution is such a weight.
    func reshaped(_ shape: [Int]) throws -> StoredWeight {
        let same = self.shape.filter { $0 != 1 } == shape.filter { $0 != 1 }
        guard same, self.shape != shape else { return self }
        if case .blocks(let blocks) = self {
            return try blocks.reshaped(shape).map(StoredWeight.blocks) ?? self
        }
        let rest = tensors.dropFirst()
        // Scales of rows go with the first axis, which has to stay.
        guard rest.allSatisfy({ $0.rank == 0 }) || self.shape.first == shape.first else {
            return self
        }
        return replacing([try tensors[0].reshaped(shape)] + rest)
    }
}
