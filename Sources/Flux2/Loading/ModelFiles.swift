internal import FluxModels
internal import Foundation

/// The files that a model is loaded from, each of which may come from another place.
public struct ModelFiles: Hashable, Sendable {
    /// A file, an index or a folder of shards each.
    public var transformer: String
    public var textEncoder: String
    public var autoencoder: String
    /// A folder with `tokenizer.json`.
    public var tokenizer: String
    /// Whether `model_index.json` says that the model was distilled to few steps.
    public var isDistilled = false
    /// The published model that it is, told from its name.
    public var variant: Variant?
    /// What users shall know about the model, from its `model_index.json`.
    public var notice: String?
    /// Text tokens that the model was made for.
    public var textLength = 512

    /// Overrides for single components; nil takes the model's own.
    public struct Overrides: Hashable, Sendable {
        public var transformer: String?
        public var textEncoder: String?
        public var autoencoder: String?
        public var tokenizer: String?

        public init(
            transformer: String? = nil, textEncoder: String? = nil, autoencoder: String? = nil,
            tokenizer: String? = nil
        ) {
            self.transformer = transformer
            self.textEncoder = textEncoder
            self.autoencoder = autoencoder
            self.tokenizer = tokenizer
        }
    }

    /// Finds the components of a model.
    ///
    /// - Parameter model: a folder in the hub's layout, or the name of one in a known place.
    /// - Throws: `ModelError` naming what is not there and where it was expected.
    public init(model: String?, overrides: Overrides = .init()) throws {
        let folder = try model.map(ModelFolder.init(named:))
        variant = model.flatMap(Variant.init(named:)) ?? folder.flatMap { Variant(named: $0.path) }
        // A base model's other components may be in the folder of the distilled one.
        let companion = variant?.companion.flatMap { try? ModelFolder(named: $0.rawValue) }
        func component(_ path: String?, _ kind: Component) throws -> String {
            if let path { return try existing(path) }
            guard let folder else {
                let option = kind.rawValue.replacing("_", with: "-")
                throw RequestError(
                    setting: "model", expected: "given, or --\(option) beside the others",
                    found: "absent")
            }
            do {
                return try folder.path(of: kind)
            } catch {
                guard let found = try? companion?.path(of: kind) else { throw error }
                return found
            }
        }
        transformer = try component(overrides.transformer, .transformer)
        textEncoder = try component(overrides.textEncoder, .textEncoder)
        autoencoder = try component(overrides.autoencoder, .autoencoder)
        tokenizer =
            try overrides.tokenizer.map(existing)
            ?? Self.tokenizer([folder, companion].compactMap(\.self), beside: textEncoder)
        if let index = try folder?.index() {
            isDistilled = index.isDistilled ?? false
            notice = index.flux2?.notice
            textLength = index.flux2?.textLength ?? textLength
        }
    }

    /// The tokenizer of the model, else the one beside the text encoder.
    private static func tokenizer(
        _ folders: [ModelFolder], beside encoder: String
    ) throws -> String {
        let beside = URL(fileURLWithPath: encoder).deletingLastPathComponent().path
        let candidates = (folders.map(\.path) + [beside]).map { $0 + "/tokenizer" }
        guard let found = candidates.first(where: FileManager.default.fileExists(atPath:)) else {
            throw ModelError(
                path: folders.first?.path ?? beside,
                reason: .missingComponent(
                    "tokenizer", expected: candidates[0] + ", or --tokenizer FOLDER"))
        }
        return found
    }
}

private func existing(_ path: String) throws -> String {
    guard FileManager.default.fileExists(atPath: path) else {
        throw ModelError(path: path, reason: .notFound(searched: [path]))
    }
    return path
}

extension ModelFiles {
    /// What suits the model better than the general settings, if it is known.
    public var preset: Preset? {
        variant?.preset ?? (isDistilled ? Preset(name: "distilled", steps: 4, cfgScale: 1) : nil)
    }
}
