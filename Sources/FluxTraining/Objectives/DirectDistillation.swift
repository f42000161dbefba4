internal import Flux2
internal import FluxModels
internal import Torch

/// The transformer learns to reach an image from its noise in few steps; the whole chain of steps
/// gets gradients.
///
/// - Source: `DirectDistillLoss`, DiffSynth-Studio.
struct DirectDistillation {
    let transformer: FluxTransformer
    var checkpointing: ActivationCheckpointing?
    /// Shifts noise levels by the size of the image, as inference does; DiffSynth-Studio does not.
    var shiftsBySize = false

    /// The mean squared distance between where the steps end and the image, [] of float32.
    ///
    /// - Throws: `DataError` for a sample without steps or noise.
    func loss(_ batch: SampleBatch, observe: Observer = ignoreOutputs) throws -> Tensor {
        guard let steps = batch.samples[0].extras.inferenceSteps else {
            throw DataError(
                path: "direct distillation", reason: .missing(column: "num_inference_steps"))
        }
        let noise = try batch.samples.map { sample in
            guard let noise = sample.noise else {
                throw DataError(path: "direct distillation", reason: .missing(column: "seed"))
            }
            return try LatentTokens.pack(noise)
        }
        let schedule = try schedule(steps, tokens: noise[0].size(1))
        let rotary = try batch.rotary(transformer.configuration)
        var latents = try Tensor.concatenating(noise, along: 0)
        for (step, sigma) in schedule.sigmas.enumerated() {
            let level = try Tensor.from([schedule.timesteps[step]])
                .to(dtype: latents.dtype, device: latents.device)
            var input = TransformerInput(
                latents: latents, references: batch.references, text: batch.text,
                sigma: try (level / 1000).expanded([latents.size(0)]), guidance: batch.guidance,
                rotary: rotary)
            input.checkpointing = checkpointing
            latents = try FlowStep.euler(
                latents, velocity: transformer(input, observe: observe), from: sigma,
                to: schedule.sigma(after: step))
        }
        let target = try LatentTokens.pack(batch.latents)
        return try meanSquaredError(
            latents.to(dtype: .float32), target.to(dtype: .float32))
    }

    private func schedule(_ steps: Int, tokens: Int) throws -> Schedule {
        shiftsBySize
            ? try Schedule(steps: steps, tokens: tokens)
            : try Schedule(steps: steps, shift: Schedule.trainingShift)
    }
}
