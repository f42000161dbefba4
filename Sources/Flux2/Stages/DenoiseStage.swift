internal import FluxModels
internal import Torch

/// What the transformer is told besides the latents and their noise level.
struct Conditioning {
    /// Text features of the prompt, [1, T, J].
    var positive: Tensor
    /// Text features of the negative prompt, when classifier-free guidance is on.
    var negative: Tensor?
    var cfgScale: Double
    var embeddedGuidance: Double
    /// Rotations of text and picture tokens.
    var rotary: RotaryTable
}

/// What one step of denoising has brought.
struct DenoisedStep {
    /// Counts from 0.
    let index: Int
    /// The transformer's answer, [1, T, C].
    let velocity: Tensor
    /// The latents after the step, [1, T, C].
    let latents: Tensor
    let seconds: Double
}

/// Carries noise to clean latents along the flow, one Euler step per noise level.
struct DenoiseStage {
    let transformer: FluxTransformer
    let schedule: Schedule

    /// - Shapes: `noise` [1, T, C] → the same.
    /// - Throws: `CancellationError` between blocks.
    func callAsFunction(
        _ noise: Tensor, given conditioning: Conditioning,
        onStep: (DenoisedStep) throws -> Void,
        onEvent: (GenerationEvent) -> Void
    ) throws -> Tensor {
        var latents = noise
        for step in schedule.sigmas.indices {
            let clock = Clock()
            let velocity = try velocity(of: latents, at: step, given: conditioning, onEvent)
            latents = try FlowStep.euler(
                latents, velocity: velocity, from: schedule.sigmas[step],
                to: schedule.sigma(after: step))
            try Runtime.synchronize(latents.device)
            try onStep(
                DenoisedStep(
                    index: step, velocity: velocity, latents: latents, seconds: clock.seconds))
            onEvent(.denoised(step: step + 1, of: schedule.sigmas.count))
        }
        return latents
    }

    private func velocity(
        of latents: Tensor, at step: Int, given conditioning: Conditioning,
        _ onEvent: (GenerationEvent) -> Void
    ) throws -> Tensor {
        let progress = Progress(self, step: step, passes: conditioning.negative == nil ? 1 : 2)
        func evaluate(_ text: Tensor, pass: Int) throws -> Tensor {
            try transformer(input(latents, text, step, conditioning)) { module, _ in
                try Task.checkCancellation()
                if let event = progress.event(after: module, pass: pass) { onEvent(event) }
            }
        }
        let positive = try evaluate(conditioning.positive, pass: 0)
        guard let text = conditioning.negative else { return positive }
        let negative = try evaluate(text, pass: 1)
        return try FlowStep.guided(
            positive: positive, negative: negative, scale: conditioning.cfgScale)
    }

    /// The noise level is rounded as 1000 σ first, then divided again, as in the reference.
    private func input(
        _ latents: Tensor, _ text: Tensor, _ step: Int, _ conditioning: Conditioning
    ) throws -> TransformerInput {
        let timestep = try Tensor.from([schedule.timesteps[step]])
            .to(dtype: latents.dtype, device: latents.device)
        return try TransformerInput(
            latents: latents, text: text, sigma: timestep / 1000,
            guidance: conditioning.embeddedGuidance, rotary: conditioning.rotary)
    }

    /// Counts the blocks of all steps and passes.
    private struct Progress {
        let before: Int
        let perPass: Int
        let doubleBlocks: Int
        let total: Int

        init(_ stage: DenoiseStage, step: Int, passes: Int) {
            let configuration = stage.transformer.configuration
            doubleBlocks = configuration.doubleBlockCount
            perPass = doubleBlocks + configuration.singleBlockCount
            before = step * passes * perPass
            total = stage.schedule.sigmas.count * passes * perPass
        }

        func event(after module: String, pass: Int) -> GenerationEvent? {
            let parts = module.split(separator: ".")
            guard parts.count >= 2, let index = Int(parts[1]), parts.last != "text" else {
                return nil
            }
            let block = parts[0] == "transformer_blocks" ? index : doubleBlocks + index
            return .working(
                stage: .denoise, done: before + pass * perPass + block + 1, of: total)
        }
    }
}
