internal import Torch

/// The way back from a model's weights to the tensor of a file that they are read from.
enum TensorConcatenation {
    /// Puts together what the recipes of a layout take apart.
    ///
    /// - Parameters:
    ///   - parts: every weight that is read from the tensor, with its recipe.
    ///   - shape: the tensor's in the file.
    ///   - dtype: the tensor's type.
    static func concatenate(
        _ parts: [(transform: WeightTransform, values: Tensor)], shape: [Int], dtype: DType
    ) throws -> Tensor {
        let rows = try parts.sorted { $0.transform.part < $1.transform.part }.map {
            transform, values in
            try transform.undone(values.to(dtype: dtype))
        }
        let whole = rows.count == 1 ? rows[0] : try .concatenating(rows, along: 0)
        return try whole.reshaped(shape).contiguous()
    }
}

extension WeightTransform {
    /// Which of the equal parts of a tensor's rows it takes.
    fileprivate var part: Int { if case .slice(_, let part, _) = self { part } else { 0 } }

    /// The rows in the order that the file has them in.
    fileprivate func undone(_ values: Tensor) throws -> Tensor {
        switch self {
        case .identity, .slice: return values
        case .swapHalves:
            let (rows, half) = (values.size(0), values.size(0) / 2)
            return try .concatenating(
                [values.slice(half..<rows, along: 0), values.slice(0..<half, along: 0)], along: 0)
        case .unpermuteRotary: preconditionFailure("only GGUF files interleave heads")
        }
    }
}
