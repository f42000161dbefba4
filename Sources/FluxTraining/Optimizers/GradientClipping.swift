internal import Torch

/// Makes gradients smaller where their norm over all parameters is above a limit, as
/// `torch.nn.utils.clip_grad_norm_` does.
///
/// The norm is taken in `float32`, where PyTorch rounds it to the gradients' type.
///
/// - Returns: the norm before; not finite where a gradient is not, and then nothing has changed.
@discardableResult
public func clipGradients(
    of parameters: [TrainableParameter], toNorm limit: Double
) throws -> Double {
    try withoutGradients {
        let gradients = try parameters.compactMap { try $0.tensor.gradient() }
        let norm = try Tensor.norm(of: gradients)
        // PyTorch's order of operations, in float32.
        let factor = min(1, 1 / (Float(norm) + 1e-6) * Float(limit))
        guard norm.isFinite, factor < 1 else { return norm }
        for gradient in gradients { try gradient.scaleInPlace(by: Double(factor)) }
        return norm
    }
}

/// Finds gradients that would spoil the weights.
public enum GradientGuard {
    /// Fails at the first parameter whose gradient holds a value that is infinite or NaN.
    ///
    /// - Parameter norm: the norm of all gradients, where it is known: a finite one needs no look at
    ///   the gradients.
    /// - Throws: `OptimizerError` with the parameter's name.
    public static func check(_ parameters: [TrainableParameter], norm: Double? = nil) throws {
        try withoutGradients {
            if try (norm ?? self.norm(of: parameters)).isFinite { return }
            for parameter in parameters {
                guard let gradient = try parameter.tensor.gradient(),
                    try !gradient.isFinite().allTrue()
                else { continue }
                throw OptimizerError(key: parameter.name, reason: .gradientNotFinite)
            }
        }
    }

    /// The norm over the gradients of all parameters.
    public static func norm(of parameters: [TrainableParameter]) throws -> Double {
        try Tensor.norm(of: parameters.compactMap { try $0.tensor.gradient() })
    }
}
