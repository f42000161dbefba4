public import FluxModels
internal import Foundation
public import ModelHub

/// The files that a model is loaded from, each of which may come from another place.
public struct ModelFiles: Hashable, Sendable {
    /// A file, an index, a folder of shards, or several files that make up one checkpoint.
    public typealias Weights = [String]

    /// Weights of the flow transformer.
    public var transformer: Weights
    /// Weights of the language model that reads prompts.
    public var textEncoder: Weights
    /// Weights of the model between images and latents.
    public var autoencoder: Weights
    /// A folder with `tokenizer.json`.
    public var tokenizer: String
    /// Whether `model_index.json` says that the model was distilled to few steps.
    public var isDistilled = false
    /// The published model that it is, told from its name.
    public var variant: Variant?
    /// What the model is called; nil for components that were found one by one.
    public var name: String?
    /// What suits the model better than the general settings: what its `model_index.json` says, else
    /// what is known of a published model, or of a distilled one.
    public var preset: Preset?
    /// What users shall know about the model, from its `model_index.json`.
    public var notice: String?
    /// The pipeline that the model was made for, from its `model_index.json`.
    var pipelineClass: String?
    /// Text tokens that the model was made for.
    public var textLength = 512
    /// Where weights shall be in each stage, as far as somebody has said.
    public var storage: [Component: StageStorage] = [:]
    /// Parts that are not on this machine: their shapes are known, and can be planned with.
    package var absent: [Component: Variant] = [:]
    /// Says where a transformer from elsewhere is called a base model's, and ``preset`` is that of a
    /// distilled one, or the other way round.
    public var presetRemark: String?

    /// Files from other places for single components; nil takes the model's own.
    public struct Overrides: Hashable, Sendable {
        /// Transformer weights from elsewhere.
        public var transformer: Weights?
        /// Text encoder weights from elsewhere.
        public var textEncoder: Weights?
        /// Autoencoder weights from elsewhere.
        public var autoencoder: Weights?
        /// A folder with another `tokenizer.json`.
        public var tokenizer: String?

        /// Replaces the components that are given; without any, all are the model's own.
        public init(
            transformer: Weights? = nil, textEncoder: Weights? = nil,
            autoencoder: Weights? = nil, tokenizer: String? = nil
        ) {
            self.transformer = transformer
            self.textEncoder = textEncoder
            self.autoencoder = autoencoder
            self.tokenizer = tokenizer
        }
    }

    /// Finds the components of a model on this machine.
    ///
    /// - Parameters:
    ///   - model: a folder in the hub's layout, or the name of one in a known place.
    ///   - settings: where those places are; what the environment says without it.
    /// - Throws: `ModelError` naming what is not there and where it was expected.
    public init(
        model: String?, overrides: Overrides = .init(), settings: HubSettings? = nil
    ) throws {
        let settings = try settings ?? HubSettings()
        let folders = try model.map { try ModelFolder.named($0, settings) } ?? []
        variant =
            model.flatMap(Variant.init(named:)) ?? folders.first.flatMap { Variant(named: $0.path) }
        // A base model's other components may be in the folder of the distilled one.
        let companions = variant?.companion.flatMap {
            try? ModelFolder.named($0.rawValue, settings)
        }
        let search = PartSearch(folders: folders, companions: companions ?? [])
        transformer = try search.weights(overrides.transformer, .transformer)
        textEncoder = try search.weights(overrides.textEncoder, .textEncoder)
        autoencoder = try search.weights(overrides.autoencoder, .autoencoder)
        tokenizer =
            try overrides.tokenizer.map(existing) ?? search.tokenizer(beside: textEncoder[0])
        name = folders.first?.name
        try take(folders.lazy.compactMap { try $0.index() }.first)
        presetRemark = overrides.transformer?.first.flatMap(remark(onTransformer:))
    }

    /// Takes what a model says of itself, over what is known of a published one.
    mutating func take(_ index: ModelFolder.Index?) {
        isDistilled = index?.isDistilled ?? false
        pipelineClass = index?.className
        preset =
            variant?.preset
            ?? (isDistilled ? Preset(name: "distilled", steps: 4, cfgScale: 1) : nil)
        guard let own = index?.flux2 else { return }
        notice = own.notice
        textLength = own.textLength ?? textLength
        preset = own.preset(name ?? "model", over: preset)
    }

    /// Puts together components that were found one by one.
    init(transformer: Weights, textEncoder: Weights, autoencoder: Weights, tokenizer: String) {
        self.transformer = transformer
        self.textEncoder = textEncoder
        self.autoencoder = autoencoder
        self.tokenizer = tokenizer
    }
}

/// Looks for the parts of a model in the folders that may have them.
private struct PartSearch {
    var folders: [ModelFolder]
    var companions: [ModelFolder]

    func weights(_ given: [String]?, _ component: Component) throws -> [String] {
        if let given { return try given.map(existing) }
        guard let first = folders.first else {
            let option = component.rawValue.replacing("_", with: "-")
            throw RequestError(
                setting: "model", expected: "given, or --\(option) beside the others",
                found: "absent")
        }
        let all = folders + companions
        // One that has all files counts before one that was left half-way.
        if let part = ModelRepository.Part(rawValue: component.rawValue),
            let found = all.first(where: { $0.has(part) })
        {
            return [try found.path(of: component)]
        }
        do {
            return [try first.path(of: component)]
        } catch {
            guard let found = all.lazy.compactMap({ try? $0.path(of: component) }).first else {
                throw error
            }
            return [found]
        }
    }

    /// The tokenizer of the model, else the one beside the text encoder.
    func tokenizer(beside encoder: String) throws -> String {
        let beside = URL(fileURLWithPath: encoder).deletingLastPathComponent()
        let places =
            (folders + companions).map(\.path)
            + [beside.path, beside.deletingLastPathComponent().path]
        let candidates = places.map { $0 + "/tokenizer" }
        guard let found = candidates.first(where: FileManager.default.fileExists(atPath:)) else {
            throw ModelError(
                path: folders.first?.path ?? beside.path,
                reason: .missingComponent(
                    "tokenizer", expected: candidates[0] + ", or --tokenizer FOLDER"))
        }
        return found
    }
}
