internal import Flux2
internal import FluxModels
internal import Torch

/// The transformer learns the velocity from image to noise, at random noise levels.
///
/// - Source: `FlowMatchSFTLoss`, DiffSynth-Studio.
struct FlowMatching {
    let transformer: FluxTransformer
    let levels: NoiseLevels
    var checkpointing: ActivationCheckpointing?
    /// Takes noise levels, weights and targets in float32, and draws again where the weight is 0.
    var isExact = false

    /// A sample with the level and the noise it is looked at with.
    struct Noised {
        var level: NoiseLevels.Level
        /// [1, h·w, C]
        var noise: Tensor
    }

    /// Draws level, then noise.
    func draw(_ sample: EncodedSample, from sampler: NoiseSampler) throws -> Noised {
        let range = try NoiseLevels.range(sample.extras)
        let dtype = sample.latents.dtype
        func level() throws -> NoiseLevels.Level {
            try levels.level(sampler.level(range), dtype: dtype, exactly: isExact)
        }
        var drawn = try level()
        // A range may consist of levels without weight.
        var tries = 0
        while isExact, drawn.weight == 0, tries < 100 {
            drawn = try level()
            tries += 1
        }
        let noise = try sampler.noise(forTokensOf: sample.latents)
        let scale = sample.extras.noiseScale ?? 1
        return Noised(level: drawn, noise: scale == 1 ? noise : try noise * scale)
    }

    /// The mean over the samples of their weighted squared errors, [] of float32.
    func loss(
        _ batch: SampleBatch, _ noised: [Noised], observe: Observer = ignoreOutputs
    ) throws -> Tensor {
        let clean = try LatentTokens.pack(batch.latents)
        let noise = try Tensor.concatenating(noised.map(\.noise), along: 0)
        // What is exact is computed in float32.
        let (wideClean, wideNoise) =
            isExact
            ? (try clean.to(dtype: .float32), try noise.to(dtype: .float32)) : (clean, noise)
        let latents = try FlowStep.noised(
            wideClean, noise: wideNoise, sigmas: noised.map(\.level.sigma)
        ).to(dtype: clean.dtype)
        let target = try FlowStep.target(clean: wideClean, noise: wideNoise).to(dtype: .float32)
        let dtype = batch.latents.dtype
        let timesteps = try Tensor.from(noised.map(\.level.timestep))
            .to(dtype: dtype, device: batch.latents.device)
        var input = TransformerInput(
            latents: latents, references: batch.references,
            text: batch.text, sigma: try timesteps / 1000, guidance: batch.guidance,
            rotary: try batch.rotary(transformer.configuration))
        input.checkpointing = checkpointing
        let velocity = try transformer(input, observe: observe).to(dtype: .float32)
        return try weighted(velocity, target, noised.map(\.level.weight))
    }

    private func weighted(
        _ velocity: Tensor, _ target: Tensor, _ weights: [Float]
    ) throws -> Tensor {
        guard weights.count > 1 else {
            return try meanSquaredError(velocity, target) * Double(weights[0])
        }
        let errors = try (velocity - target).square().mean(along: [1, 2])
        return try (errors * Tensor.from(weights).to(device: errors.device)).mean()
    }
}
