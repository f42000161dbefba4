internal import FluxModels
internal import Torch

/// The velocity of latents at the noise levels of a run, with classifier-free guidance: the conditional and
/// unconditional passes weighed against each other.
///
/// Holds what is the same in all of a run's evaluations: the embedded text, and what a ``FirstBlockCache``
/// keeps. The rest changes with the noise level, since modulations shift and scale each stream before it is
/// projected.
struct GuidedDenoiser {
    private let stage: DenoiseStage
    private let conditioning: Conditioning
    private let branches: [PreparedBranch]
    private let cache: FirstBlockCache?

    /// One pass of guidance, with its embedded text and its cached residual.
    private struct PreparedBranch {
        let name: GuidanceBranch
        let conditioning: ConditioningBranch
        let text: Tensor
        let memory: BlockResidual?
    }

    init(_ stage: DenoiseStage, _ conditioning: Conditioning) throws {
        let cache = stage.stepCache.map {
            FirstBlockCache(threshold: $0, steps: stage.schedule.sigmas.count)
        }
        let named: [(GuidanceBranch, ConditioningBranch?)] = [
            (.conditional, conditioning.conditional),
            (.unconditional, conditioning.unconditional),
        ]
        branches = try named.compactMap { name, branch in
            guard let branch else { return nil }
            try stage.beforeBranch(name)
            // In lockstep, weights are skipped once the conditional pass has decided.
            let tells = name == .conditional || !stage.evaluatesInLockstep
            let memory = cache.map { cache in
                BlockResidual { firstChange in
                    let skips = try cache.shouldSkip(firstChange)
                    if skips, tells { stage.onSkip() }
                    return skips
                }
            }
            return PreparedBranch(
                name: name, conditioning: branch,
                text: try stage.transformer.embed(text: branch.text), memory: memory)
        }
        self.stage = stage
        self.conditioning = conditioning
        self.cache = cache
    }

    /// Steps so far that did without most blocks of the transformer.
    var skippedSteps: Int { cache?.skipped ?? 0 }

    /// - Shapes: `latents` [1, T, C] → the same.
    /// - Throws: `CancellationError` between blocks.
    func velocity(
        of latents: Tensor, at step: Int, _ onEvent: (GenerationEvent) -> Void
    ) throws -> Tensor {
        cache?.begin(step)
        let inputs = try inputs(latents, step)
        let progress = DenoiseProgress(stage, step: step, passes: branches.count)
        let velocities =
            stage.evaluatesInLockstep && inputs.count > 1
            ? try evaluateInLockstep(inputs, progress, onEvent)
            : try evaluateInTurn(inputs, progress, onEvent)
        guard velocities.count > 1 else { return velocities[0] }
        return try FlowStep.guided(
            conditional: velocities[0], unconditional: velocities[1], scale: conditioning.cfgScale)
    }

    private func evaluateInTurn(
        _ inputs: [TransformerInput], _ progress: DenoiseProgress,
        _ onEvent: (GenerationEvent) -> Void
    ) throws -> [Tensor] {
        try zip(branches, inputs).enumerated().map { pass, branchAndInput in
            let (branch, input) = branchAndInput
            try stage.beforeBranch(branch.name)
            return try stage.transformer(input) { module, _ in
                try Task.checkCancellation()
                if let event = progress.event(after: module, pass: pass) { onEvent(event) }
            }
        }
    }

    private func evaluateInLockstep(
        _ inputs: [TransformerInput], _ progress: DenoiseProgress,
        _ onEvent: (GenerationEvent) -> Void
    ) throws -> [Tensor] {
        var prepared: GuidanceBranch?
        return try stage.transformer.evaluateInLockstep(inputs) { branch in
            if prepared != branches[branch].name {
                try stage.beforeBranch(branches[branch].name)
            }
            prepared = branches[branch].name
        } observe: { branch, module, _ in
            try Task.checkCancellation()
            if let event = progress.event(after: module, branch: branch) { onEvent(event) }
        }
    }

    /// The inputs of both passes, with what they share computed already.
    private func inputs(_ latents: Tensor, _ step: Int) throws -> [TransformerInput] {
        let sigma = try stage.sigma(step, like: latents)
        var inputs = branches.map { branch in
            var input = TransformerInput(
                latents: latents, references: conditioning.references,
                text: branch.conditioning.text,
                sigma: sigma, guidance: conditioning.embeddedGuidance,
                rotary: branch.conditioning.rotary, caches: branch.conditioning.caches)
            input.embeddedText = branch.text
            input.memory = branch.memory
            return input
        }
        guard branches.count > 1, stage.branchesShareWeights else { return inputs }
        try stage.beforeBranch(branches[0].name)
        let shared = try stage.transformer.sharedInput(for: inputs[0])
        for index in inputs.indices { inputs[index].shared = shared }
        return inputs
    }
}
