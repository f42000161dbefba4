internal import Domains
package import FluxModels
internal import Offloading
package import Tokenization
internal import Torch

/// The components of a model, checked against each other and ready to be loaded.
package final class Pipeline {
    let transformer: ModelPart<FluxTransformer>
    let textEncoder: ModelPart<TextEncoder>
    let autoencoder: ModelPart<Autoencoder>
    let loras: LoRAManager
    let prompts = PromptEmbeddingCache()
    let promptCache: PromptCache?
    private let encoderWeights: Checkpoint
    private var identity: PromptCacheKey?
    /// Nil for a model of which a part is planned with that is not here.
    private let tokenizer: Tokenizer?
    private let knowsWholeWordsOnly: Bool
    private let encoderFamily: TextEncoderConfiguration.Family
    let device: Device
    let dtype: DType
    let textLength: Int
    let memory: MemorySettings
    let architecture: Architecture
    /// What was free of the device before this pipeline took any of it.
    let deviceFree: Int
    private var keepsAllResident = false
    var readsAhead = false
    /// Whether the conditional and unconditional passes go through each group of weights before the next one.
    var evaluatesInLockstep = false
    /// Whether weights that are quantized now will come from a file when it counts.
    let quantizedWillBeMapped: Bool

    /// Looks at headers and configurations; no weight is read.
    ///
    /// - Throws: `ModelError` when a component is of another kind, or does not belong to the others.
    init(
        _ files: ModelFiles, device: Device, dtype: DType, promptCache: PromptCache? = nil,
        memory: MemorySettings = MemorySettings(), quantizedWillBeMapped: Bool = false
    ) throws {
        try NumericSetting.textLength.require(files.textLength)
        let parts = try ModelParts(files)
        let shape = parts.architecture
        self.device = device
        self.dtype = dtype
        self.promptCache = promptCache
        self.memory = memory
        self.quantizedWillBeMapped = quantizedWillBeMapped
        architecture = shape
        deviceFree = try device.memory().free
        encoderWeights = parts.encoder.checkpoint
        textLength = files.textLength
        transformer = ModelPart(
            parts.transformer.loader(), device: device, dtype: dtype,
            grouping: WeightGrouping.ofTransformer, storage: memory.storage[.transformer]
        ) { FluxTransformer($0, shape.transformer) }
        textEncoder = ModelPart(
            parts.encoder.loader(), device: device, dtype: dtype,
            grouping: WeightGrouping.ofTextEncoder,
            staysOnHost: { $0.key == "embed_tokens.weight" },
            storage: memory.storage[.textEncoder]
        ) { TextEncoder($0, shape.encoder) }
        autoencoder = ModelPart(
            parts.autoencoder.loader(), device: device, dtype: dtype, grouping: { _ in nil },
            storage: memory.storage[.autoencoder]
        ) { Autoencoder($0, shape.autoencoder) }
        try transformer.refuseUnfit()
        try textEncoder.refuseUnfit()
        loras = LoRAManager(
            transformer.parameters, encoder: textEncoder.parameters,
            autoencoder: autoencoder.parameters, family: shape.encoder.family, dtype: dtype,
            device: device)
        knowsWholeWordsOnly = files.knowsWholeWordsOnly
        encoderFamily = shape.encoder.family
        guard !files.tokenizer.isEmpty else {
            tokenizer = nil
            return
        }
        tokenizer = try Self.tokenizer(files.tokenizer, for: shape.encoder)
        // A tokenizer of another model is refused now, not when there is a prompt.
        _ = try promptTokenizer(.diffsynth)
    }

    /// The tokenizer with the words that are put around a prompt.
    func promptTokenizer(_ parity: Parity) throws -> PromptTokenizer {
        guard let tokenizer else {
            throw ModelError(
                path: "model",
                reason: .mismatch("is not on this machine and can only be planned with"))
        }
        return try Self.promptTokenizer(tokenizer, encoderFamily, parity)
    }

    /// Words of a prompt that a small model has never seen.
    func unknownWords(of prompt: String) -> [String] {
        knowsWholeWordsOnly ? tokenizer?.wordsInPieces(of: prompt) ?? [] : []
    }

    package static func promptTokenizer(
        _ tokenizer: Tokenizer, _ family: TextEncoderConfiguration.Family, _ parity: Parity
    ) throws -> PromptTokenizer {
        let format: PromptFormat =
            switch family {
            case .qwen3: .qwen3
            case .mistral3: .mistral3(systemMessage: parity.systemMessage)
            }
        return try PromptTokenizer(tokenizer, format: format)
    }

    /// What the text features of this pipeline follow from, besides the prompt.
    func promptCacheKey() throws -> PromptCacheKey {
        if let identity { return identity }
        let found = try PromptCacheKey(
            encoderWeights, textEncoder.model.configuration, device: device, dtype: dtype,
            storage: memory.storage[.textEncoder] ?? .asStored)
        identity = found
        return found
    }

    /// Has the disk read while the processor computes, in the order in which parts are used.
    func readAhead(encoder: Bool) {
        ReadAhead.begin(
            (encoder ? textEncoder.pieces : []) + transformer.pieces + autoencoder.pieces)
    }

    /// Has weights go where a plan wants them, each part when it is used next.
    func place(_ outcome: Planner.Outcome) throws {
        if keepsAllResident, !outcome.plan.keepsAll { try releaseAll() }
        keepsAllResident = outcome.plan.keepsAll
        readsAhead = outcome.plan.readsAhead
        evaluatesInLockstep = outcome.evaluatesInLockstep
        func place(_ component: Component) -> WeightPlacement {
            outcome.placements[component] ?? .resident
        }
        textEncoder.placement = place(.textEncoder)
        autoencoder.placement = place(.autoencoder)
        transformer.placement = place(.transformer)
    }

    /// Ends the use of a part, whose device memory is then free unless there is enough for all.
    func end<Model>(_ part: ModelPart<Model>) {
        // What was computed is there; a device that fails now fails at its next use.
        try? part.rest(keeping: keepsAllResident)
    }

    /// Lets go of all weights on the device.
    func releaseAll() throws {
        try textEncoder.weights.release()
        try autoencoder.weights.release()
        try transformer.weights.release()
        Tensor.releaseScratch()
    }

    /// What streams of all parts have done.
    var counters: StreamCounters {
        var sum = textEncoder.weights.counters
        sum += autoencoder.weights.counters
        sum += transformer.weights.counters
        return sum
    }

    package static func tokenizer(
        _ folder: String, for encoder: TextEncoderConfiguration
    ) throws -> Tokenizer {
        let tokenizer = try Tokenizer(folder: folder)
        guard tokenizer.vocabularySize <= encoder.vocabularySize else {
            throw ModelError(
                path: folder,
                reason: .mismatch(
                    "a vocabulary of \(tokenizer.vocabularySize) tokens does not belong to a text "
                        + "encoder of \(encoder.vocabularySize)"))
        }
        return tokenizer
    }
}

/// The files of a model's components, looked at and checked against each other.
struct ModelParts {
    let transformer: ComponentFile
    let encoder: ComponentFile
    let autoencoder: ComponentFile
    let architecture: Architecture

    init(_ files: ModelFiles) throws {
        func part(_ component: Component, _ paths: [String]) throws -> ComponentFile {
            guard let model = files.absent[component] else {
                return try ComponentFile(paths, expected: component)
            }
            return ComponentFile(published: model, component, place: paths[0])
        }
        transformer = try part(.transformer, files.transformer)
        encoder = try part(.textEncoder, files.textEncoder)
        autoencoder = try part(.autoencoder, files.autoencoder)
        architecture = try Architecture(transformer, encoder, autoencoder)
        try architecture.check(files)
    }
}

/// The architectures of a model's components.
struct Architecture {
    let transformer: TransformerConfiguration
    let encoder: TextEncoderConfiguration
    let autoencoder: AutoencoderConfiguration

    init(
        _ transformer: ComponentFile, _ encoder: ComponentFile, _ autoencoder: ComponentFile
    ) throws {
        guard case .transformer(let ofTransformer) = transformer.content,
            case .textEncoder(_, let ofEncoder) = encoder.content,
            case .autoencoder(let ofAutoencoder) = autoencoder.content
        else { preconditionFailure("components were opened as what they are") }
        self.transformer = try transformer.configuration(ofTransformer)
        self.encoder = try encoder.configuration(ofEncoder)
        self.autoencoder = try autoencoder.configuration(ofAutoencoder)
    }

    /// Refuses components of different models, before anything is loaded.
    func check(_ files: ModelFiles) throws {
        let (place, encoderPlace) = (files.transformer[0], files.textEncoder[0])
        try ComponentCompatibility.require(encoder, encoderPlace, for: transformer, place)
        try ComponentCompatibility.require(
            autoencoder, files.autoencoder[0], for: transformer, place)
        try ComponentCompatibility.requireDepth(of: encoder, encoderPlace)
    }
}
