/// A FLUX.2 model that makes images, with the parameters of DiffSynth-Studio's class of this name.
///
/// ```swift
/// let pipeline = try await Flux2ImagePipeline.fromPretrained(.klein4B)
/// let image = try await pipeline(prompt: "a red fox in the snow", seed: 1)
/// try image.write(to: "fox.png")
/// ```
///
/// Calls come one after the other, whatever task they are made from; weights are loaded with the
/// first and kept.
public actor Flux2ImagePipeline {
    private let engine: Engine
    /// Steps, guidance and size for calls that give none.
    public nonisolated let preset: Preset?
    private let settings: HubSettings?
    private var loras: [LoRAUse] = []
    private var loraMode: LoRAUse.Mode?

    /// - Parameters:
    ///   - preset: what calls use that do not say otherwise.
    ///   - settings: where LoRAs come from; what the environment says without it.
    public init(_ engine: Engine, preset: Preset? = nil, settings: HubSettings? = nil) {
        self.engine = engine
        self.settings = settings
        self.preset = preset
    }

    /// Puts a pipeline together from components, each told from what its files hold.
    ///
    /// ```swift
    /// let pipeline = try await Flux2ImagePipeline.fromPretrained(modelConfigs: [
    ///     ModelConfig(
    ///         modelID: "black-forest-labs/FLUX.2-klein-4B",
    ///         originFilePattern: "text_encoder/*.safetensors"),
    ///     …
    /// ])
    /// ```
    ///
    /// - Parameters:
    ///   - dtype: the type that everything is computed in.
    ///   - device: where; nil takes CUDA where it can be used, else the processor.
    ///   - modelConfigs: a transformer, a text encoder and an autoencoder, in any order; or one
    ///     folder in the hub's layout, whose `model_index.json` may say what suits the model.
    ///   - tokenizerConfig: the tokenizer's folder; nil takes the one beside the text encoder, or
    ///     in its repository. (DiffSynth-Studio takes dev's, which fits no other model.)
    ///   - vramLimit: GiB of device memory to stay below; nil is what is free.
    ///   - ramLimit: GiB of the host's memory to stay below; nil is what is free.
    ///   - settings: hubs, caches and tokens; what the environment says without it.
    ///   - onDownload: told about downloads.
    /// - Throws: `ModelError`, `RequestError`, `HubError`, `FileError`, `SafetensorsError`,
    ///   `TokenizationError`, `DeviceError`, `CancellationError`.
    public static func fromPretrained(
        dtype: DType = .bfloat16, device: Device? = nil, modelConfigs: [ModelConfig],
        tokenizerConfig: ModelConfig? = nil, vramLimit: Double? = nil, ramLimit: Double? = nil,
        settings: HubSettings? = nil,
        onDownload: @escaping @Sendable (DownloadEvent) -> Void = { _ in }
    ) async throws -> Flux2ImagePipeline {
        let settings = try settings ?? HubSettings()
        let files = try await ModelFiles(
            modelConfigs, tokenizer: tokenizerConfig, settings, onEvent: onDownload)
        let device = device ?? .automatic().device
        let stages = try MemorySettings(files.storage, device: device, dtype: dtype)
        let memory = try stages.limited(vram: vramLimit, ram: ramLimit)
        return try await opened(files, device, dtype, memory, settings)
    }

    /// Takes a published model, fetching what of it is not on this machine; calls then use its
    /// makers' steps and guidance unless they say otherwise.
    ///
    /// - Parameters:
    ///   - lowVRAM: whether weights are kept as in DiffSynth-Studio's low-VRAM configuration.
    ///   - vramLimit: GiB of device memory to stay below; nil is what is free, or with `lowVRAM` what
    ///     that has.
    /// - Throws: as with modelConfigs.
    public static func fromPretrained(
        _ variant: Variant, dtype: DType = .bfloat16, device: Device? = nil,
        lowVRAM: Bool = false, vramLimit: Double? = nil, ramLimit: Double? = nil,
        settings: HubSettings? = nil,
        onDownload: @escaping @Sendable (DownloadEvent) -> Void = { _ in }
    ) async throws -> Flux2ImagePipeline {
        let settings = try settings ?? HubSettings()
        if let model = ModelRepository(named: variant.rawValue) {
            try await RepositoryFetch(settings, onEvent: onDownload).missing(of: model)
        }
        let files = try ModelFiles(model: variant.rawValue, settings: settings)
        let device = device ?? .automatic().device
        let kept =
            lowVRAM ? try MemorySettings.lowVRAM(device: device, dtype: dtype) : MemorySettings()
        let memory = try kept.limited(vram: vramLimit, ram: ramLimit)
        return try await opened(files, device, dtype, memory, settings)
    }

    private static func opened(
        _ files: ModelFiles, _ device: Device, _ dtype: DType, _ memory: MemorySettings,
        _ settings: HubSettings
    ) async throws -> Flux2ImagePipeline {
        let engine = Engine(
            files, device: device, dtype: dtype, memory: memory, weightCache: .standard())
        try await engine.open()
        return Flux2ImagePipeline(engine, preset: files.preset, settings: settings)
    }

    // MARK: LoRA

    /// Has all further calls use a LoRA.
    ///
    /// - Parameters:
    ///   - config: one file.
    ///   - alpha: multiplies the change.
    ///   - hotload: beside the weights instead of folded into a copy of them; nil folds in unless
    ///     memory is limited or weights are kept in 8 bits.
    ///   - mayBePartial: whether some modules of transformer blocks may be none of the model's.
    /// - Throws: `RequestError` when an earlier LoRA is loaded in the other way or `config` is no
    ///   single file; those of `ModelConfig.resolved(_:onEvent:)`.
    public func loadLoRA(
        _ config: ModelConfig, alpha: Double = 1, hotload: Bool? = nil, mayBePartial: Bool = false
    ) async throws {
        let paths = try await config.resolved(settings ?? HubSettings())
        guard paths.count == 1 else {
            throw RequestError(
                setting: "LoRA", expected: "one file", found: "\(paths.count) files")
        }
        let mode: LoRAUse.Mode = hotload ?? engine.isManaged ? .hot : .fused
        guard loraMode == nil || loraMode == mode else {
            throw RequestError(
                setting: "hotload", expected: "the same for all LoRAs", found: "\(mode == .hot)")
        }
        loraMode = mode
        loras.append(LoRAUse(path: paths[0], strength: alpha, mayBePartial: mayBePartial))
    }

    /// Has all further calls use a LoRA file.
    public func loadLoRA(
        _ path: String, alpha: Double = 1, hotload: Bool? = nil, mayBePartial: Bool = false
    ) async throws {
        try await loadLoRA(
            ModelConfig(path: path), alpha: alpha, hotload: hotload, mayBePartial: mayBePartial)
    }

    /// Takes all LoRAs off.
    public func clearLoRA() {
        loras = []
        loraMode = nil
    }

    // MARK: Images

    /// Makes an image.
    ///
    /// - Parameters:
    ///   - request: everything that can be said about it; LoRAs of its own come after loaded ones.
    ///   - onEvent: told about each step.
    /// - Returns: the image with latents and timings.
    /// - Throws: `RequestError` for settings out of range, `LoRAError`, `CancellationError` when the
    ///   task is cancelled.
    public func generate(
        _ request: GenerationRequest,
        onEvent: @escaping @Sendable (GenerationEvent) -> Void = { _ in }
    ) async throws -> GenerationResult {
        var request = request
        if let loraMode {
            request.loras = loras + request.loras
            request.loraMode = loraMode
        }
        return try await engine.generate(request, onEvent: onEvent)
    }
}
