public import Torch

/// Muon: the momentum of a matrix is made nearly orthogonal before it is taken, so that no direction
/// is changed much more than another. `torch.optim.Muon` with `adjust_lr_fn="match_rms_adamw"`, by
/// which changes are as large as AdamW's and the same learning rates suit both.
///
/// It is for matrices in blocks; everything else is updated by ``AdamW``.
///
/// - Source: Keller Jordan, Muon; arXiv 2502.16982 for the size of changes.
public struct Muon: UpdateRule {
    /// What of the mean of the gradients stays in an update.
    public var momentum = 0.95
    /// Whether the gradient counts once more beside the mean.
    public var nesterov = true
    /// The share of a weight, times the rate, that an update takes off.
    public var weightDecay: Double
    /// Rounds of the iteration that makes a matrix orthogonal.
    public var rounds = 5
    private let others: AdamW

    /// PyTorch's defaults, where nothing else is said.
    public init(weightDecay: Double = 0.1) {
        self.weightDecay = weightDecay
        others = AdamW(weightDecay: weightDecay)
    }

    /// Embeddings, and what lies before and behind the blocks, are no matrices between features.
    public func suited(to name: String) -> any UpdateRule {
        name.split(separator: ".").contains { Int($0) != nil } ? self : others
    }

    public func parts(forShape shape: [Int], dtype: DType) -> [StateTensor] {
        shape.count == 2
            ? [StateTensor("momentum_buffer", shape, dtype)]
            : others.parts(forShape: shape, dtype: dtype)
    }

    public func apply(_ update: WeightUpdate, to parts: OptimizerState) throws {
        guard let mean = parts.optional("momentum_buffer") else {
            return try others.apply(update, to: parts)
        }
        let gradient = try update.gradient.to(dtype: mean.dtype)
        try mean.lerpInPlace(to: gradient, by: 1 - momentum)
        let direction = try nesterov ? gradient * (1 - momentum) + mean * momentum : mean
        let sides = (update.weight.size(0), update.weight.size(1))
        let scale = 0.2 * Double(max(sides.0, sides.1)).squareRoot()
        var step = update
        step.gradient = try Self.orthogonal(direction, rounds: rounds)
            .to(dtype: update.weight.dtype).contiguous()
        step.rate = update.rate * scale
        // Weights decay by the rate itself.
        step.weightDecay = weightDecay / scale
        try step.sgd(buffer: nil, momentum: 0, dampening: 0, nesterov: false)
    }

    /// A matrix with the same singular vectors, whose singular values are all near 1.
    ///
    /// - Shapes: [m, n] → the same, of `bfloat16`.
    static func orthogonal(_ matrix: Tensor, rounds: Int) throws -> Tensor {
        let isTall = matrix.size(0) > matrix.size(1)
        var x = try matrix.to(dtype: .bfloat16)
        if isTall { x = try x.transposed(0, 1) }
        x = try x / max(Tensor.norm(of: [x]), 1e-7)
        for _ in 0..<rounds {
            let gram = try x.matmul(x.transposed(0, 1))
            let polynomial = try gram * -4.7750 + gram.matmul(gram) * 2.0315
            x = try x * 3.4445 + polynomial.matmul(x)
        }
        return isTall ? try x.transposed(0, 1) : x
    }
}
