package import FluxModels
package import Torch

/// What one step of denoising has brought.
package struct DenoisedStep {
    /// Counts from 0.
    let index: Int
    /// The transformer's answer, [1, T, C].
    let velocity: Tensor
    /// The latents after the step, [1, T, C].
    let latents: Tensor
    let seconds: Double
}

/// A picture that is kept in places while others are painted anew.
package struct KeptPicture {
    /// Its clean tokens, [1, T, C].
    var clean: Tensor
    /// 1 where it is painted anew, [1, T, 1].
    var mask: Tensor

    /// Bends a velocity so that kept places end where they were.
    ///
    /// - Source: `Flux2ImagePipeline`, DiffSynth-Studio.
    func corrected(_ velocity: Tensor, of latents: Tensor, sigma: Float) throws -> Tensor {
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
    /// Whether both sides of guidance go through each group of weights before the next one, which
    /// changes no number.
    var goesSideBySide = false

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
        _ start: Tensor, given conditioning: Conditioning, keeping kept: KeptPicture? = nil,
        onStep: (DenoisedStep) throws -> Void,
        onEvent: (GenerationEvent) -> Void
    ) throws -> Tensor {
        var latents = start
        for (step, sigma) in schedule.sigmas.enumerated() {
            let clock = Clock()
            let velocity = try velocity(of: latents, at: step, given: conditioning, onEvent)
            let bent = try kept?.corrected(velocity, of: latents, sigma: sigma)
            latents = try FlowStep.euler(
                latents, velocity: bent ?? velocity, from: sigma, to: schedule.sigma(after: step),
                in32Bits: parity.stepsIn32Bits)
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
        func evaluate(_ branch: Branch, _ side: GuidanceBranch) throws -> Tensor {
            try beforeBranch(side)
            let input = try input(latents, branch, step, conditioning)
            return try transformer(input) { module, _ in
                try Task.checkCancellation()
                let pass = side == .positive ? 0 : 1
                if let event = progress.event(after: module, pass: pass) { onEvent(event) }
            }
        }
        guard let branch = conditioning.negative else {
            return try evaluate(conditioning.positive, .positive)
        }
        if goesSideBySide {
            return try together(latents, branch, step, conditioning, progress, onEvent)
        }
        let positive = try evaluate(conditioning.positive, .positive)
        return try FlowStep.guided(
            positive: positive, negative: evaluate(branch, .negative),
            scale: conditioning.cfgScale)
    }

    /// Both sides at once.
    private func together(
        _ latents: Tensor, _ negative: Branch, _ step: Int, _ conditioning: Conditioning,
        _ progress: Progress, _ onEvent: (GenerationEvent) -> Void
    ) throws -> Tensor {
        let sides: [GuidanceBranch] = [.positive, .negative]
        let inputs = try [conditioning.positive, negative].map {
            try input(latents, $0, step, conditioning)
        }
        var prepared: GuidanceBranch?
        let velocities = try transformer.sideBySide(inputs) { side in
            if prepared != sides[side] { try beforeBranch(sides[side]) }
            prepared = sides[side]
        } observe: { side, module, _ in
            try Task.checkCancellation()
            if let event = progress.event(after: module, side: side) { onEvent(event) }
        }
        return try FlowStep.guided(
            positive: velocities[0], negative: velocities[1], scale: conditioning.cfgScale)
    }

    private func input(
        _ latents: Tensor, _ branch: Branch, _ step: Int, _ conditioning: Conditioning
    ) throws -> TransformerInput {
        try TransformerInput(
            latents: latents, references: conditioning.references, text: branch.text,
            sigma: sigma(step, like: latents), guidance: conditioning.embeddedGuidance,
            rotary: branch.rotary, caches: branch.caches)
    }

    /// DiffSynth and diffusers round 1000 σ and divide it again; Black Forest Labs round σ itself.
    private func sigma(_ step: Int, like latents: Tensor) throws -> Tensor {
        func rounded(_ value: Float) throws -> Tensor {
            try .from([value]).to(dtype: latents.dtype, device: latents.device)
        }
        return parity.roundsSigma
            ? try rounded(schedule.sigmas[step]) : try rounded(schedule.timesteps[step]) / 1000
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
            block(module).map {
                .working(stage: .denoise, done: before + pass * perPass + $0 + 1, of: total)
            }
        }

        /// The same where both sides take turns.
        func event(after module: String, side: Int) -> GenerationEvent? {
            block(module).map {
                .working(stage: .denoise, done: before + 2 * $0 + side + 1, of: total)
            }
        }

        /// The number of a block, by the name of its last output.
        private func block(_ module: String) -> Int? {
            let parts = module.split(separator: ".")
            guard parts.count >= 2, let index = Int(parts[1]), parts.last != "text" else {
                return nil
            }
            return parts[0] == "transformer_blocks" ? index : doubleBlocks + index
        }
    }
}
