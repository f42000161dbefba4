internal import Flux2
internal import FluxModels
internal import Torch

/// The loss of a task, from samples to a number with gradients.
struct DiffusionLoss {
    private let flow: FlowMatching
    private let distillation: DirectDistillation
    private let task: TrainingTask

    init(_ settings: TrainingSettings, _ transformer: FluxTransformer) throws {
        task = settings.task
        flow = FlowMatching(
            transformer: transformer, levels: try NoiseLevels(),
            checkpointing: settings.checkpointing, isExact: settings.isExact)
        distillation = DirectDistillation(
            transformer: transformer, checkpointing: settings.checkpointing,
            shiftsBySize: settings.isExact)
    }

    /// A sample, and what goes to its random numbers.
    typealias Drawn = (sample: EncodedSample, begin: () throws -> NoiseSampler)

    /// The mean over all samples. Those that do not fit side by side, which headers may not tell, are
    /// computed one group after the other.
    func loss(_ samples: [Drawn], observe: Observer = ignoreOutputs) throws -> Tensor {
        guard samples.count > 1 else { return try lossSideBySide(samples, observe) }
        let shapes = try samples.map { try $0.sample.shape() }
        guard Set(shapes).count > 1 else { return try lossSideBySide(samples, observe) }
        var sum: Tensor?
        for shape in shapes.indices where shapes.firstIndex(of: shapes[shape]) == shape {
            let group = samples.indices.filter { shapes[$0] == shapes[shape] }.map { samples[$0] }
            let share = Double(group.count) / Double(samples.count)
            let part = try lossSideBySide(group, observe) * share
            sum = try sum.map { try $0 + part } ?? part
        }
        guard let sum else { preconditionFailure("a batch without samples") }
        return sum
    }

    private func lossSideBySide(_ samples: [Drawn], _ observe: Observer) throws -> Tensor {
        let batch = try SampleBatch(samples.map(\.sample))
        guard !task.distills else { return try distillation.loss(batch, observe: observe) }
        let noised = try samples.map { sample, begin in
            let sampler = try begin()
            // A cached sample brings its initial noise, one with a seed draws it apart.
            if !task.readsEncoded, sample.extras.seed == nil {
                try sampler.passInitialNoise(like: sample.latents)
            }
            return try flow.draw(sample, from: sampler)
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
