public import Torch

extension ProcessGroup {
    /// Replaces the gradients of all parameters by their means over all processes.
    ///
    /// Parameters without a gradient anywhere stay without one.
    ///
    /// - Throws: `DistributedError` for a parameter that has one in some processes only.
    public func averageGradients(of parameters: [TrainableParameter]) throws {
        try mean(commonGradients(of: parameters).compactMap { $0 })
    }

    /// The gradients that all processes have; nil where none has one.
    func commonGradients(of parameters: [TrainableParameter]) throws -> [Tensor?] {
        let gradients = try parameters.map { try $0.tensor.gradient() }
        guard size > 1, !parameters.isEmpty else { return gradients }
        let counts = try Tensor.from(gradients.map { Int64($0 == nil ? 0 : 1) })
        try sum([counts])
        for (parameter, count) in zip(parameters, try counts.values(as: Int64.self))
        where count != 0 && count != size {
            throw DistributedError.unevenGradient(
                parameter: parameter.name, ranks: Int(count), size: size)
        }
        return gradients
    }
}
