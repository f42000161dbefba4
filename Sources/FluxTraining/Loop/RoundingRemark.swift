internal import Flux2
internal import Torch

/// What is lost where changes of weights are smaller than their type can hold.
struct RoundingRemark {
    /// Nil where nothing much is lost.
    let text: String?

    /// Looks at settings, and of a LoRA at the weights that it begins with.
    init(_ settings: TrainingSettings, _ weights: TrainableWeights) throws {
        let rate = settings.optimization.learningRate
        let ways = "; --master_weights stochastic, kahan or fp32 keeps them"
        guard settings.optimization.masterWeights == .none, rate > 0 else {
            text = nil
            return
        }
        let isWhole =
            !settings.method.trained.isEmpty
            && weights.parameters.contains { $0.tensor.dtype == .bfloat16 }
        if isWhole, rate < 1e-4 {
            text =
                "at a learning rate of \(rate) most changes of a weight are smaller than bfloat16 "
                + "can hold and are lost" + ways
            return
        }
        let share = try Self.lost(weights, rate)
        text =
            share > 0.5
            ? "at a learning rate of \(rate) changes of \(Int(share * 100)) % of the values of lora_A "
                + "are smaller than bfloat16 can hold and are lost" + ways : nil
    }

    /// The share of the values of LoRAs' first matrices that stay as they are when the rate is added,
    /// which is about what an update of AdamW changes.
    private static func lost(_ weights: TrainableWeights, _ rate: Double) throws -> Double {
        var (lost, count) = (0.0, 0)
        try withoutGradients {
            for case .lowRank(let down, _) in weights.adapters.values.map(\.delta)
            where down.dtype == .bfloat16 {
                let changed = try (down.to(dtype: .float32) + rate).to(dtype: .bfloat16)
                let stays = try (changed - down).equal(to: 0).to(dtype: .float32)
                lost += try stays.sum().item()
                count += down.count
            }
        }
        return count > 0 ? lost / Double(count) : 0
    }
}
