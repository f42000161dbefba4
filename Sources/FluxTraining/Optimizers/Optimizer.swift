public import Torch

/// What changes parameters by their gradients.
public protocol Optimizer: AnyObject {
    /// What is changed, in the order of the updates.
    var parameters: [TrainableParameter] { get }

    /// The size of all that is kept between updates, in bytes.
    var stateByteCount: Int { get }

    /// Changes each parameter that has a gradient; others, and what is kept for them, stay as they
    /// are. The gradients are left.
    func step(rate: Double) throws

    /// What later updates depend on, as `<parameter>.<part>`.
    ///
    /// The next update may change these tensors; they are written, or copied, before it.
    func state() throws -> [String: Tensor]

    /// Goes on where the optimizer stood that gave this state: updates are the same, bit for bit.
    ///
    /// - Throws: `OptimizerError` for a key that is missing, unknown, or of another shape or type;
    ///   nothing has changed then.
    func restore(_ state: [String: Tensor]) throws
}

extension Optimizer {
    /// Forgets the gradients of all parameters.
    public func zeroGradients() throws {
        for parameter in parameters { try parameter.tensor.clearGradient() }
    }
}
