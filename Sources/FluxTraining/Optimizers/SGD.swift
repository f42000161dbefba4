public import Torch

/// Gradient descent with or without momentum: `torch.optim.SGD`, bit for bit on the CPU.
public struct SGD: UpdateRule {
    /// What of the sum of gradients stays in an update; 0 needs no memory.
    public var momentum: Double
    /// What of a gradient does not go into the sum, but for the first one.
    public var dampening: Double
    /// Whether the momentum is added to the gradient once more.
    public var nesterov: Bool
    /// Times a weight, it is added to the weight's gradient.
    public var weightDecay: Double

    /// PyTorch's defaults, where nothing else is said.
    public init(
        momentum: Double = 0, dampening: Double = 0, nesterov: Bool = false, weightDecay: Double = 0
    ) {
        self.momentum = momentum
        self.dampening = dampening
        self.nesterov = nesterov
        self.weightDecay = weightDecay
    }

    public func parts(forShape shape: [Int], dtype: DType) -> [StateTensor] {
        momentum == 0 ? [] : [StateTensor("momentum_buffer", shape, dtype)]
    }

    public func apply(_ update: WeightUpdate, to parts: OptimizerState) throws {
        var update = update
        update.weightDecay = weightDecay
        try update.sgd(
            buffer: parts.optional("momentum_buffer"), momentum: momentum, dampening: dampening,
            nesterov: nesterov)
    }
}
