internal import FluxModels
internal import Torch

/// The velocity of latents at the noise levels of a run, both sides of guidance weighed against each
/// other.
///
/// Holds what is the same in all of a run's evaluations: the embedded text, and what a ``StepCache`` keeps.
/// The rest changes with the noise level, since modulations shift and scale each stream before it is
/// projected.
struct VelocityField {
    private let stage: DenoiseStage
    private let conditioning: Conditioning
    private let sides: [Side]
    private let cache: StepCache?

    /// One side of guidance with what it keeps.
    private struct Side {
        let name: GuidanceBranch
        let branch: Branch
        let text: Tensor
        let memory: BlockMemory?
    }

    init(_ stage: DenoiseStage, _ conditioning: Conditioning) throws {
        let cache = stage.stepCache.map {
            StepCache(threshold: $0, steps: stage.schedule.sigmas.count)
        }
        let branches = [
            (GuidanceBranch.positive, conditioning.positive as Branch?),
            (.negative, conditioning.negative),
        ]
        sides = try branches.compactMap { name, branch in
            guard let branch else { return nil }
            try stage.beforeBranch(name)
            // Where both sides share weights, these are skipped when the prompt's side has decided.
            let tells = name == .positive || !stage.goesSideBySide
            let memory = cache.map { cache in
                BlockMemory { firstChange in
                    let skips = try cache.skips(firstChange)
                    if skips, tells { stage.onSkip() }
                    return skips
                }
            }
            return Side(
                name: name, branch: branch,
                text: try stage.transformer.embedded(text: branch.text), memory: memory)
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
        let progress = DenoiseProgress(stage, step: step, passes: sides.count)
        let velocities =
            stage.goesSideBySide && inputs.count > 1
            ? try together(inputs, progress, onEvent)
            : try oneAfterTheOther(inputs, progress, onEvent)
        guard velocities.count > 1 else { return velocities[0] }
        return try FlowStep.guided(
            positive: velocities[0], negative: velocities[1], scale: conditioning.cfgScale)
    }

    private func oneAfterTheOther(
        _ inputs: [TransformerInput], _ progress: DenoiseProgress,
        _ onEvent: (GenerationEvent) -> Void
    ) throws -> [Tensor] {
        try zip(sides, inputs).enumerated().map { pass, sideAndInput in
            let (side, input) = sideAndInput
            try stage.beforeBranch(side.name)
            return try stage.transformer(input) { module, _ in
                try Task.checkCancellation()
                if let event = progress.event(after: module, pass: pass) { onEvent(event) }
            }
        }
    }

    private func together(
        _ inputs: [TransformerInput], _ progress: DenoiseProgress,
        _ onEvent: (GenerationEvent) -> Void
    ) throws -> [Tensor] {
        var prepared: GuidanceBranch?
        return try stage.transformer.sideBySide(inputs) { side in
            if prepared != sides[side].name { try stage.beforeBranch(sides[side].name) }
            prepared = sides[side].name
        } observe: { side, module, _ in
            try Task.checkCancellation()
            if let event = progress.event(after: module, side: side) { onEvent(event) }
        }
    }

    /// The sides' inputs, with what they share computed already.
    private func inputs(_ latents: Tensor, _ step: Int) throws -> [TransformerInput] {
        let sigma = try stage.sigma(step, like: latents)
        var inputs = sides.map { side in
            var input = TransformerInput(
                latents: latents, references: conditioning.references, text: side.branch.text,
                sigma: sigma, guidance: conditioning.embeddedGuidance,
                rotary: side.branch.rotary, caches: side.branch.caches)
            input.embeddedText = side.text
            input.memory = side.memory
            return input
        }
        guard sides.count > 1, stage.sidesHaveSameWeights else { return inputs }
        try stage.beforeBranch(sides[0].name)
        let shared = try stage.transformer.shared(by: inputs[0])
        for index in inputs.indices { inputs[index].shared = shared }
        return inputs
    }
}
