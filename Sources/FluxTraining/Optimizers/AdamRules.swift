public import Torch

/// Adam with weight decay by itself (arXiv 1711.05101): `torch.optim.AdamW`, bit for bit on the CPU.
public struct AdamW: UpdateRule {
    /// Decay rates and epsilon.
    public var settings: AdamSettings
    /// The share of a weight, times the rate, that an update takes off.
    public var weightDecay: Double

    /// PyTorch's defaults, where nothing else is said.
    public init(
        betas: (Double, Double) = (0.9, 0.999), epsilon: Double = 1e-8, weightDecay: Double = 0.01
    ) {
        settings = AdamSettings(betas: betas, epsilon: epsilon)
        self.weightDecay = weightDecay
    }

    public func parts(forShape shape: [Int], dtype: DType) -> [StateTensor] {
        adamMoments(shape, dtype)
    }

    public func apply(_ update: WeightUpdate, to parts: OptimizerState) throws {
        try applyAdam(update, parts, settings, weightDecay, decoupled: true)
    }
}

/// Adam (arXiv 1412.6980) with weight decay through the gradient: `torch.optim.Adam`, bit for bit on
/// the CPU.
public struct Adam: UpdateRule {
    /// Decay rates and epsilon.
    public var settings: AdamSettings
    /// Times a weight, it is added to the weight's gradient.
    public var weightDecay: Double

    /// PyTorch's defaults, where nothing else is said.
    public init(
        betas: (Double, Double) = (0.9, 0.999), epsilon: Double = 1e-8, weightDecay: Double = 0
    ) {
        settings = AdamSettings(betas: betas, epsilon: epsilon)
        self.weightDecay = weightDecay
    }

    public func parts(forShape shape: [Int], dtype: DType) -> [StateTensor] {
        adamMoments(shape, dtype)
    }

    public func apply(_ update: WeightUpdate, to parts: OptimizerState) throws {
        try applyAdam(update, parts, settings, weightDecay, decoupled: false)
    }
}

/// AdamW with 8-bit moments in blocks of 256 (arXiv 2110.02861), those of bitsandbytes'
/// `AdamW8bit`; weights of few values have 32-bit moments.
public struct Adam8bit: UpdateRule {
    /// Decay rates and epsilon.
    public var settings: AdamSettings
    /// The share of a weight, times the rate, that an update takes off.
    public var weightDecay: Double
    /// Weights of fewer values have 32-bit moments.
    public var smallest: Int

    /// The defaults of bitsandbytes, where nothing else is said.
    public init(
        betas: (Double, Double) = (0.9, 0.999), epsilon: Double = 1e-8, weightDecay: Double = 0.01,
        smallest: Int = 4096
    ) {
        settings = AdamSettings(betas: betas, epsilon: epsilon)
        self.weightDecay = weightDecay
        self.smallest = smallest
    }

    public func parts(forShape shape: [Int], dtype: DType) -> [StateTensor] {
        let count = shape.reduce(1, *)
        guard count >= smallest else { return adamMoments(shape, .float32) }
        let blocks = (count + WeightUpdate.eightBitBlock - 1) / WeightUpdate.eightBitBlock
        return adamMoments(shape, .uint8) + [
            StateTensor("exp_avg_scale", [blocks], .float32),
            StateTensor("exp_avg_sq_scale", [blocks], .float32),
        ]
    }

    public func apply(_ update: WeightUpdate, to parts: OptimizerState) throws {
        guard let meanScales = parts.optional("exp_avg_scale") else {
            return try applyAdam(update, parts, settings, weightDecay, decoupled: true)
        }
        var update = update
        update.weightDecay = weightDecay
        try update.adam8bit(
            settings, mean: parts["exp_avg"], square: parts["exp_avg_sq"], meanScales: meanScales,
            squareScales: parts["exp_avg_sq_scale"])
    }
}

/// Two moments of a weight's shape, named as PyTorch names them.
private func adamMoments(_ shape: [Int], _ dtype: DType) -> [StateTensor] {
    [StateTensor("exp_avg", shape, dtype), StateTensor("exp_avg_sq", shape, dtype)]
}

private func applyAdam(
    _ update: WeightUpdate, _ parts: OptimizerState, _ settings: AdamSettings,
    _ weightDecay: Double,
    decoupled: Bool
) throws {
    var update = update
    update.weightDecay = weightDecay
    try update.adam(
        settings, mean: parts["exp_avg"], square: parts["exp_avg_sq"], decoupled: decoupled)
}
