public import Torch

/// Adafactor (arXiv 1804.04235), which keeps of a matrix's second moments only their means along
/// rows and along columns: `Adafactor` of transformers with `relative_step` and `scale_parameter`
/// off and without a first moment.
public struct Adafactor: UpdateRule {
    /// Epsilon, the clipping of changes, and how fast squares are forgotten.
    public var settings: WeightUpdate.AdafactorSettings
    /// The share of a weight, times the rate, that an update takes off.
    public var weightDecay: Double

    /// The defaults of transformers, where nothing else is said.
    public init(
        settings: WeightUpdate.AdafactorSettings = .init(), weightDecay: Double = 0
    ) {
        self.settings = settings
        self.weightDecay = weightDecay
    }

    public func parts(forShape shape: [Int], dtype: DType) -> [StateTensor] {
        guard shape.count > 1 else { return [StateTensor("exp_avg_sq", shape, .float32)] }
        return [
            StateTensor("exp_avg_sq_row", Array(shape.dropLast()), .float32),
            StateTensor("exp_avg_sq_col", shape.dropLast(2) + shape.suffix(1), .float32),
        ]
    }

    public func apply(_ update: WeightUpdate, to parts: OptimizerState) throws {
        var update = update
        update.weightDecay = weightDecay
        try update.adafactor(settings, moments: parts.tensors.map(\.tensor))
    }
}
