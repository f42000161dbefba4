internal import Flux2
internal import FluxModels
internal import Torch

/// The loss of a task, from samples to a number with gradients.
struct Objective {
    private let flow: FlowMatching
    private let distillation: DirectDistillation
    private let task: TrainingTask

    init(_ settings: TrainingSettings, _ transformer: FluxTransformer) throws {
        task = settings.task
        flow = FlowMatching(
            transformer: transformer, levels: try NoiseLevels(),
            recomputation: settings.recomputation, isExact: settings.isExact)
        distillation = DirectDistillation(
            transformer: transformer, recomputation: settings.recomputation,
            shiftsBySize: settings.isExact)
    }

    /// - Parameter draws: called for each sample before its numbers are drawn.
    func loss(
        _ samples: [(sample: EncodedSample, begin: () throws -> Draws)],
        observe: Observer = ignoreOutputs
    ) throws -> Tensor {
        let batch = try SampleBatch(samples.map(\.sample))
        guard !task.distills else { return try distillation.loss(batch, observe: observe) }
        let noised = try samples.map { sample, begin in
            let draws = try begin()
            // A cached sample brings its initial noise, one with a seed draws it apart.
            if !task.readsEncoded, sample.extras.seed == nil {
                try draws.passInitialNoise(like: sample.latents)
            }
            return try flow.draw(sample, from: draws)
        }
        return try flow.loss(batch, noised, observe: observe)
    }

    /// The loss of one sample at a fixed level with fixed noise.
    func loss(
        _ sample: EncodedSample, level: Int, noise: Tensor
    ) throws -> Double {
        let level = try flow.levels.level(level, dtype: sample.latents.dtype)
        // Each level counts the same here, also those that training gives little weight.
        let noised = FlowMatching.Noised(
            level: .init(timestep: level.timestep, sigma: level.sigma, weight: 1), noise: noise)
        return try flow.loss(SampleBatch([sample]), [noised]).item()
    }
}
