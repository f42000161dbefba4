internal import FluxModels
internal import Imaging
internal import Torch

/// One passage through the stages: encode, prepare, denoise, decode.
struct GenerationRun {
    private let pipeline: Pipeline
    private let request: GenerationRequest
    private let schedule: Schedule
    private let height: Int
    private let width: Int
    var timings = Timings()
    /// Sees every step; for tests and previews.
    var onStep: (DenoisedStep) throws -> Void = { _ in }

    init(_ pipeline: Pipeline, _ request: GenerationRequest) throws {
        self.pipeline = pipeline
        self.request = request
        (height, width) = request.roundedSize
        // The shift follows the size as asked for, before it is rounded up.
        schedule = try Schedule(
            steps: request.steps,
            tokens: Schedule.tokens(height: request.height, width: request.width))
    }

    /// Text features for one or both branches, and the rotations of all tokens.
    mutating func encode(_ onEvent: (GenerationEvent) -> Void) throws -> Conditioning {
        let clock = Clock()
        let part = pipeline.textEncoder
        let encoder = try part.load()
        onEvent(.loaded(component: "text encoder", bytes: part.byteCount ?? 0))
        let stage = PromptStage(
            tokenizer: pipeline.tokenizer, encoder: encoder, dtype: pipeline.dtype,
            device: pipeline.device, length: pipeline.textLength)
        let positive = try stage(request.prompt, onEvent: onEvent)
        let negative =
            request.cfgScale == 1 ? nil : try stage(request.negativePrompt, onEvent: onEvent)
        try part.release()
        let rotary = try rotations(textTokens: positive.size(1))
        timings.encode = clock.seconds
        return Conditioning(
            positive: positive, negative: negative, cfgScale: request.cfgScale,
            embeddedGuidance: request.embeddedGuidance, rotary: rotary)
    }

    private func rotations(textTokens: Int) throws -> RotaryTable {
        let configuration = pipeline.transformer.model.configuration
        let positions = try Tensor.concatenating(
            [
                Positions.text(textTokens),
                Positions.grid(rows: height / 16, columns: width / 16),
            ], along: 0)
        return try RotaryTable(
            positions: positions.to(device: pipeline.device), axes: configuration.rotaryAxes,
            theta: configuration.rotaryTheta)
    }

    /// - Shapes: → [1, C, h, w].
    func drawNoise() throws -> Tensor {
        try request.randomDevice.prepare()
        var stage = NoiseStage(dtype: pipeline.dtype, randomDevice: request.randomDevice)
        stage.channels = pipeline.transformer.model.configuration.latentChannels
        return try stage(seed: request.seed, height: height, width: width)
            .to(device: pipeline.device)
    }

    /// - Shapes: `noise` [1, C, h, w] → the same.
    mutating func denoise(
        _ noise: Tensor, given conditioning: Conditioning, _ onEvent: (GenerationEvent) -> Void
    ) throws -> Tensor {
        let part = pipeline.transformer
        let stage = DenoiseStage(transformer: try part.load(), schedule: schedule)
        onEvent(.loaded(component: "transformer", bytes: part.byteCount ?? 0))
        var seconds: [Double] = []
        let tokens = try stage(
            LatentTokens.pack(noise), given: conditioning,
            onStep: { step in
                seconds.append(step.seconds)
                try onStep(step)
            }, onEvent: onEvent)
        timings.steps = seconds
        return try LatentTokens.unpack(tokens, height: height / 16, width: width / 16)
    }

    /// - Shapes: `latents` [1, C, h, w].
    mutating func decode(
        _ latents: Tensor, _ onEvent: (GenerationEvent) -> Void
    ) throws -> Image {
        let clock = Clock()
        let stage = DecodeStage(autoencoder: try pipeline.autoencoder.load())
        let image = try stage(latents, onEvent: onEvent)
        timings.decode = clock.seconds
        return image
    }
}
