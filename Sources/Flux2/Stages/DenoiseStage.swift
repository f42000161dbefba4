package import FluxModels
package import Torch

/// The result of one denoising step.
package struct DenoisedStep {
    /// Counts from 0.
    let index: Int
    /// The transformer's answer, [1, T, C].
    let velocity: Tensor
    /// The latents after the step, [1, T, C].
    let latents: Tensor
    let seconds: Double
    /// Whether most blocks of the transformer were skipped.
    var isSkipped = false
}

/// An image that is kept in places while others are painted anew.
package struct InpaintBlend {
    /// Its clean tokens, [1, T, C].
    var clean: Tensor
    /// 1 where it is painted anew, [1, T, 1].
    var mask: Tensor

    /// Bends a velocity so that kept places end where they were.
    ///
    /// - Source: `Flux2ImagePipeline`, DiffSynth-Studio.
    func blendedVelocity(_ velocity: Tensor, of latents: Tensor, sigma: Float) throws -> Tensor {
        let straight = try FlowStep.velocity(from: latents, to: clean, sigma: sigma)
        return try straight * (1 - mask) + velocity * mask
    }
}

/// Carries noise to clean latents along the flow, one Euler step per noise level.
package struct DenoiseStage {
    let transformer: FluxTransformer
    let schedule: Schedule
    var parity = Parity.diffsynth
    /// Called before each evaluation, with the branch that comes.
    var beforeBranch: (GuidanceBranch) throws -> Void = { _ in }
    /// Whether the conditional and unconditional passes go through each group of weights before the next
    /// one, which changes no value.
    var evaluatesInLockstep = false
    /// Whether the conditional and unconditional passes have the same weights, so that what does not depend
    /// on the text is computed once for both, which changes no value.
    var branchesShareWeights = true
    /// The threshold of a ``FirstBlockCache``; nil computes all steps.
    var stepCache: Double?
    /// Called where an evaluation has skipped the rest of the transformer's weights.
    var onSkip: () -> Void = {}

    package init(
        transformer: FluxTransformer, schedule: Schedule, parity: Parity = .diffsynth
    ) {
        self.transformer = transformer
        self.schedule = schedule
        self.parity = parity
    }

    /// - Shapes: `start` [1, T, C] → the same.
    /// - Throws: `CancellationError` between blocks.
    package func callAsFunction(
        _ start: Tensor, given conditioning: Conditioning,
        keeping inpaintBlend: InpaintBlend? = nil,
        onStep: (DenoisedStep) throws -> Void,
        onEvent: (GenerationEvent) -> Void
    ) throws -> Tensor {
        let denoiser = try GuidedDenoiser(self, conditioning)
        var latents = start
        for (step, sigma) in schedule.sigmas.enumerated() {
            let clock = Stopwatch()
            let skippedBefore = denoiser.skippedSteps
            let velocity = try denoiser.velocity(of: latents, at: step, onEvent)
            let blended = try inpaintBlend?.blendedVelocity(velocity, of: latents, sigma: sigma)
            latents = try FlowStep.euler(
                latents, velocity: blended ?? velocity, from: sigma,
                to: schedule.sigma(after: step),
                in32Bits: parity.stepsIn32Bits)
            try Runtime.synchronize(latents.device)
            let isSkipped = denoiser.skippedSteps > skippedBefore
            try onStep(
                DenoisedStep(
                    index: step, velocity: velocity, latents: latents, seconds: clock.seconds,
                    isSkipped: isSkipped))
            if isSkipped { onEvent(.skipped(steps: denoiser.skippedSteps)) }
            onEvent(.denoised(step: step + 1, of: schedule.sigmas.count))
        }
        return latents
    }

    /// DiffSynth and diffusers round 1000 σ and divide it again; Black Forest Labs round σ itself.
    func sigma(_ step: Int, like latents: Tensor) throws -> Tensor {
        func rounded(_ value: Float) throws -> Tensor {
            try .from([value]).to(dtype: latents.dtype, device: latents.device)
        }
        return parity.roundsSigma
            ? try rounded(schedule.sigmas[step]) : try rounded(schedule.timesteps[step]) / 1000
    }
}
