internal import Flux2
internal import FluxModels
internal import Imaging
internal import Torch

/// Measures what has been learned: held-out losses and sample images.
protocol Validator {
    /// Whether something is held out, and whether images are asked for.
    var canValidate: Bool { get }
    var canSample: Bool { get }
    /// The loss of held-out samples under equal conditions every time; nil without any.
    func heldOutLoss() throws -> Double?
    /// Images with what they are to show.
    func images() throws -> [ValidationSample]
}

/// An image that shows what has been learned.
struct ValidationSample {
    var prompt: String
    var image: Image
    /// How it was made; nil for what is no generation.
    var request: GenerationRequest?
}

/// Samples that are never trained on.
struct HeldOutSamples {
    let count: Int
    /// All of them, as they are encoded now.
    let read: () throws -> [EncodedSample]
}

/// Validates a flow transformer: the loss of held-out samples, and images from prompts.
final class DiffusionValidator: Validator {
    private let settings: ValidationSettings
    private let parts: TrainingParts
    private let encoder: SampleEncoder
    private let transformer: FluxTransformer
    private let objective: DiffusionLoss
    private let heldOut: HeldOutSamples

    var canValidate: Bool { heldOut.count > 0 }
    var canSample: Bool { !settings.prompts.isEmpty }

    /// Places on the scale of noise at which held-out samples are looked at.
    private static let levels = [100, 300, 500, 700, 900]

    init(
        _ settings: ValidationSettings, _ parts: TrainingParts, _ encoder: SampleEncoder,
        _ transformer: FluxTransformer, _ objective: DiffusionLoss, heldOut: HeldOutSamples
    ) throws {
        self.settings = settings
        self.parts = parts
        self.encoder = encoder
        self.transformer = transformer
        self.objective = objective
        self.heldOut = heldOut
        guard !settings.prompts.isEmpty else { return }
        guard parts.autoencoder != nil, parts.textEncoder != nil else {
            throw TrainingError(
                reason: .unfit(
                    "--sample_prompt needs the text encoder and the autoencoder among the models"))
        }
        for (name, side) in [
            ("--sample_height", settings.sampleHeight), ("--sample_width", settings.sampleWidth),
        ] where side < 16 || side % 16 != 0 {
            throw TrainingError(reason: .unfit("\(name) must be a multiple of 16, not \(side)"))
        }
    }

    /// The mean squared error at fixed levels with fixed noise; nil without held-out samples.
    func heldOutLoss() throws -> Double? {
        guard heldOut.count > 0 else { return nil }
        return try withoutGradients {
            var sum = 0.0
            for (number, sample) in try heldOut.read().enumerated() {
                for level in Self.levels {
                    try Task.checkCancellation()
                    let sampler = try NoiseSampler(
                        seed: SeedSequence.seed(settings.sampleSeed, UInt64(number), UInt64(level)),
                        device: parts.device)
                    sum += try objective.loss(
                        sample, level: level, noise: sampler.noise(forTokensOf: sample.latents))
                }
            }
            return sum / Double(heldOut.count * Self.levels.count)
        }
    }

    /// Images of all prompts, each from the same noise every time.
    func images() throws -> [ValidationSample] {
        try withoutGradients {
            try settings.prompts.map { prompt in
                ValidationSample(
                    prompt: prompt, image: try image(prompt), request: request(prompt))
            }
        }
    }

    private func request(_ prompt: String) -> GenerationRequest {
        var request = GenerationRequest(prompt: prompt, seed: settings.sampleSeed)
        (request.height, request.width) = (settings.sampleHeight, settings.sampleWidth)
        request.steps = settings.sampleSteps
        request.cfgScale = settings.sampleScale
        request.embeddedGuidance = Self.embeddedGuidance
        request.textLength = parts.textLength
        return request
    }

    private static let embeddedGuidance = 4.0

    private func image(_ prompt: String) throws -> Image {
        let (height, width) = (settings.sampleHeight, settings.sampleWidth)
        var noise = NoiseStage(dtype: parts.dtype)
        noise.channels = transformer.configuration.latentChannels
        let start = try noise(seed: settings.sampleSeed, height: height, width: width)
            .to(device: parts.device)
        let stage = DenoiseStage(
            transformer: transformer,
            schedule: try Schedule(
                steps: settings.sampleSteps,
                tokens: Schedule.tokens(height: height, width: width)))
        let tokens = try stage(
            LatentTokens.pack(start), given: conditioning(prompt, height, width),
            onStep: { _ in }, onEvent: { _ in })
        guard let autoencoder = parts.autoencoder else {
            preconditionFailure("checked when the run began")
        }
        let decode = DecodeStage(autoencoder: try autoencoder.load(passes: .max))
        return try decode(
            LatentTokens.unpack(tokens, height: height / 16, width: width / 16), onEvent: { _ in })
    }

    private func conditioning(
        _ prompt: String, _ height: Int, _ width: Int
    ) throws -> Conditioning {
        func branch(_ prompt: String) throws -> ConditioningBranch {
            let text = try encoder.text(prompt)
            let positions = try Tensor.concatenating(
                [
                    Positions.text(text.size(1)),
                    Positions.grid(rows: height / 16, columns: width / 16),
                ], along: 0)
            return ConditioningBranch(
                text: text,
                rotary: try RotaryTable(
                    positions: positions.to(device: parts.device),
                    axes: transformer.configuration.rotaryAxes,
                    theta: transformer.configuration.rotaryTheta))
        }
        return try Conditioning(
            conditional: branch(prompt),
            unconditional: settings.sampleScale == 1 ? nil : branch(""),
            cfgScale: settings.sampleScale, embeddedGuidance: Self.embeddedGuidance)
    }
}
