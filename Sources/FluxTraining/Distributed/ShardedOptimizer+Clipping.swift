internal import Torch

extension ShardedOptimizer {
    /// Makes averaged gradients smaller where their norm over all parameters is above a limit, as
    /// `clipGradients(of:toNorm:)` does where each process has all of them. All processes call it.
    ///
    /// - Returns: the norm before; not finite where a gradient is not, and then nothing has changed.
    @discardableResult
    public func clipGradients(toNorm limit: Double) throws -> Double {
        guard stage == .gradients else {
            return try FluxTraining.clipGradients(of: parameters, toNorm: limit)
        }
        let norm = try gradientNorm()
        // The order of operations there, in float32.
        let factor = min(1, 1 / (Float(norm) + 1e-6) * Float(limit))
        guard norm.isFinite, factor < 1 else { return norm }
        try withoutGradients {
            for parameter in owned {
                try parameter.tensor.gradient()?.scaleInPlace(by: Double(factor))
            }
        }
        return norm
    }

    /// The norm over the averaged gradients of all parameters. All processes call it.
    public func gradientNorm() throws -> Double {
        guard stage == .gradients else { return try GradientGuard.norm(of: parameters) }
        let own = try GradientGuard.norm(of: owned)
        return try group.gather(values: [own * own]).reduce(0) { $0 + $1[0] }.squareRoot()
    }
}
