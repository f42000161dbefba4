internal import FluxModels
internal import Imaging
internal import Offloading
internal import Torch

/// One passage through the stages: encode, prepare, denoise, decode.
struct GenerationRun {
    private let pipeline: Pipeline
    private var request: GenerationRequest
    private let schedule: Schedule
    private let height: Int
    private let width: Int
    private let before: StreamCounters
    var timings = Timings()
    /// Steps that a cache has spared.
    private(set) var skippedSteps = 0
    /// Sees every step; for tests and previews.
    var onStep: (DenoisedStep) throws -> Void = { _ in }

    init(_ pipeline: Pipeline, _ request: GenerationRequest) throws {
        self.pipeline = pipeline
        self.request = request
        before = pipeline.counters
        (height, width) = request.roundedSize
        // DiffSynth's shift follows the size as asked for, before it is rounded up.
        let counted =
            request.parity.countsRealTokens ? (height, width) : (request.height, request.width)
        schedule = try Schedule(
            steps: request.steps, strength: request.denoisingStrength,
            tokens: Schedule.tokens(height: counted.0, width: counted.1))
    }

    /// Takes over what a new plan has settled, which is how images pass the autoencoder.
    mutating func adopt(_ settled: GenerationRequest) { request.tiling = settled.tiling }

    /// Whether images are encoded.
    var readsImages: Bool { request.readsImages }

    /// What has come since the run began.
    var streamed: Streamed {
        let now = pipeline.counters
        return Streamed(
            units: now.units - before.units, moved: now.moved - before.moved,
            read: now.read - before.read, waited: now.waited - before.waited)
    }

    /// Evaluations of the transformer.
    private var passes: Int {
        schedule.sigmas.count * (isGuided && !pipeline.evaluatesInLockstep ? 2 : 1)
    }

    private var isGuided: Bool { request.cfgScale != 1 }

    /// The transformer with its weights, or with those that come first on their way.
    private func loadTransformer() throws -> FluxTransformer {
        try pipeline.transformer.load(
            passes: passes,
            endingEarlyAfter: request.stepCache == nil ? nil : WeightGrouping.beforeSkipping)
    }

    /// Reads LoRAs, before anything large is loaded.
    func readLoRAs(_ onEvent: (GenerationEvent) -> Void) throws {
        try pipeline.loras.read(request.loras, onEvent)
    }

    /// Text features for one or both branches; the encoder is loaded only for prompts that are new.
    mutating func encode(_ onEvent: (GenerationEvent) -> Void) throws -> PromptFeatures {
        let clock = Stopwatch()
        // What it needs first comes while the encoder computes.
        if pipeline.readsAhead, pipeline.transformer.comesAhead {
            _ = try loadTransformer()
        }
        let prompts = isGuided ? [request.prompt, request.negativePrompt] : [request.prompt]
        let features = try withoutActuallyEscaping(onEvent) { onEvent in
            let stage = try PromptStage(
                pipeline, request.parity, length: request.textLength ?? pipeline.textLength,
                loras: request.loras, onEvent: onEvent)
            return try stage(prompts)
        }
        timings.encode = clock.seconds
        return PromptFeatures(
            conditional: features[0], unconditional: features.count > 1 ? features[1] : nil)
    }

    /// - Shapes: → [1, C, h, w].
    func drawNoise() throws -> Tensor {
        let channels = pipeline.transformer.model.configuration.latentChannels
        if let given = request.initialNoise {
            let noise = try given.tensor(for: "initial-noise")
            let shape = [1, channels, height / 16, width / 16]
            guard noise.shape == shape else {
                throw RequestError(
                    setting: "initial-noise", expected: "\(shape)", found: "\(noise.shape)")
            }
            return try noise.to(dtype: pipeline.dtype, device: pipeline.device)
        }
        try request.randomDevice.prepare()
        var stage = NoiseStage(dtype: pipeline.dtype, randomDevice: request.randomDevice)
        stage.channels = channels
        return try stage(seed: request.seed, height: height, width: width)
            .to(device: pipeline.device)
    }

    /// Encodes input and reference images and mixes the first of them with noise.
    ///
    /// - Shapes: `noise` [1, C, h, w].
    mutating func prepare(
        _ noise: Tensor, _ onEvent: (GenerationEvent) -> Void
    ) throws -> PreparedLatents {
        let clock = Stopwatch()
        let part = pipeline.autoencoder
        changeAutoencoder()
        defer {
            pipeline.loras.deactivate()
            pipeline.end(part)
        }
        let encode = EncodeStage(
            autoencoder: readsImages ? try part.load(passes: 1) : part.model,
            dtype: pipeline.dtype,
            device: pipeline.device, tiling: request.tiling, parity: request.parity)
        let prepared = try PreparedLatents(request, noise: noise, sigma: schedule.sigmas[0]) {
            try encode($0)
        }
        for latents in [prepared.start, prepared.references?.tokens].compactMap(\.self) {
            try pipeline.autoencoder.requireFinite(latents, "latents of an image")
        }
        if let references = prepared.references {
            onEvent(
                .encodedReferences(
                    count: request.editImages.count, tokens: references.tokens.size(1),
                    besides: prepared.start.size(1)))
        }
        timings.images = clock.seconds
        return prepared
    }

    /// - Shapes: → [1, C, h, w].
    mutating func denoise(
        _ prepared: PreparedLatents, given features: PromptFeatures,
        _ onEvent: (GenerationEvent) -> Void
    ) throws -> Tensor {
        let part = pipeline.transformer
        defer {
            pipeline.loras.deactivate()
            pipeline.end(part)
        }
        try refuseFusing()
        var stage = DenoiseStage(
            transformer: try loadTransformer(), schedule: schedule, parity: request.parity)
        onEvent(.loaded(component: "transformer", bytes: part.weights.byteCount))
        try pipeline.loras.fuse(request.loras, mode: request.loraMode)
        stage.evaluatesInLockstep = pipeline.evaluatesInLockstep
        stage.branchesShareWeights = request.branchesShareWeights
        stage.stepCache = request.stepCache
        stage.onSkip = { part.weights.stream?.endEarly() }
        stage.beforeBranch = { [loras = pipeline.loras, request] branch in
            loras.activate(request.loras, mode: request.loraMode, for: branch)
        }
        var seconds: [Double] = []
        var skipped = 0
        let tokens = try stage(
            prepared.start, given: conditioning(features, prepared), keeping: prepared.inpaintBlend,
            onStep: { step in
                seconds.append(step.seconds)
                if step.isSkipped { skipped += 1 }
                try onStep(step)
            }, onEvent: onEvent)
        timings.steps = seconds
        skippedSteps = skipped
        try part.requireFinite(tokens, "latents")
        return try LatentTokens.unpack(tokens, height: height / 16, width: width / 16)
    }

    /// Folding in needs weights that stay, and as many bits as the change has.
    ///
    /// - Throws: `RequestError`, before anything large is done.
    func refuseFusing() throws {
        let isFused = request.loraMode == .fused && !request.loras.isEmpty
        guard isFused, let why = pipeline.transformer.keepsFromFusing else { return }
        throw RequestError(
            setting: "lora-mode", expected: "hot, since weights \(why)", found: "fused")
    }

    private func conditioning(
        _ features: PromptFeatures, _ prepared: PreparedLatents
    ) throws -> Conditioning {
        func branch(_ text: Tensor, _ extras: GenerationRequest.Extras) throws -> ConditioningBranch
        {
            let text = try extras.extending(text)
            let configuration = pipeline.transformer.model.configuration
            return try ConditioningBranch(
                text: text, rotary: rotations(textTokens: text.size(1), prepared),
                caches: extras.keyValues(configuration, like: text))
        }
        return try Conditioning(
            conditional: branch(features.conditional, request.extras),
            unconditional: features.unconditional.map { try branch($0, request.negativeExtras) },
            references: prepared.references?.tokens, cfgScale: request.cfgScale,
            embeddedGuidance: request.embeddedGuidance)
    }

    private func rotations(textTokens: Int, _ prepared: PreparedLatents) throws -> RotaryTable {
        let configuration = pipeline.transformer.model.configuration
        var positions = [
            try Positions.text(textTokens),
            try Positions.grid(rows: height / 16, columns: width / 16),
        ]
        if let references = prepared.references { positions.append(references.positions) }
        return try RotaryTable(
            positions: .concatenating(positions, along: 0).to(device: pipeline.device),
            axes: configuration.rotaryAxes, theta: configuration.rotaryTheta)
    }

    private func changeAutoencoder() {
        let loras = pipeline.loras
        loras.put(
            loras.uses(request.loras, changing: .autoencoder, for: nil), on: .autoencoder)
    }

    /// - Shapes: `latents` [1, C, h, w].
    mutating func decode(
        _ latents: Tensor, _ onEvent: (GenerationEvent) -> Void
    ) throws -> Image {
        let clock = Stopwatch()
        let part = pipeline.autoencoder
        changeAutoencoder()
        defer {
            pipeline.loras.deactivate()
            pipeline.end(part)
        }
        var stage = DecodeStage(
            autoencoder: try part.load(passes: 1), tiling: request.tiling, parity: request.parity)
        stage.check = { try part.requireFinite($0, "pixels") }
        let image = try stage(latents, onEvent: onEvent)
        timings.decode = clock.seconds
        return image
    }
}
