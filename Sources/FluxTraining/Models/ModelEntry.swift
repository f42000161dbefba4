public import Flux2
internal import FluxModels
internal import Foundation
internal import FileSupport
public import ModelHub
internal import Offloading

/// One model of `--model_paths` or `--model_id_with_origin_paths`, with what other options say about
/// it by repeating it.
public struct ModelEntry: Hashable, Sendable {
    /// As it was given; of several shards their paths, one after the other.
    public var text: String
    /// Where its files are.
    public var config: ModelConfig
    /// How its weights are kept.
    public var storage = WeightStorage.asStored
    /// Layers that are kept as stored all the same.
    public var keptAsStored: [String] = []

    /// Reads a JSON list whose entries are paths, or lists of shards.
    ///
    /// - Throws: `RequestError` for anything else.
    public static func paths(json text: String) throws -> [ModelEntry] {
        func refusal() -> RequestError {
            RequestError(
                setting: "--model_paths",
                expected:
                    #"a JSON list such as ["a.safetensors", ["b-1.safetensors", "b-2.safetensors"]]"#,
                found: "'\(text.prefix(120))'")
        }
        var reader = JSONReader(Array(text.utf8))
        guard let items = try? reader.document().array else { throw refusal() }
        return try items.map { item in
            if let path = item.string { return ModelEntry(text: path, config: .init(path: path)) }
            let shards = item.array?.compactMap(\.string) ?? []
            guard !shards.isEmpty, shards.count == item.array?.count else { throw refusal() }
            return ModelEntry(text: shards.joined(separator: ","), config: .init(path: shards))
        }
    }

    /// Reads `owner/name:pattern` entries between commas.
    ///
    /// - Throws: `RequestError` for an entry without a colon.
    public static func repositories(_ text: String) throws -> [ModelEntry] {
        try NameList.read(text).map { entry in
            guard let colon = entry.lastIndex(of: ":"), colon != entry.startIndex else {
                throw RequestError(
                    setting: "--model_id_with_origin_paths",
                    expected: "owner/name:pattern between commas (--model_paths is for files here)",
                    found: "'\(entry)'")
            }
            return ModelEntry(
                text: entry,
                config: ModelConfig(
                    modelID: String(entry[..<colon]),
                    originFilePattern: String(entry[entry.index(after: colon)...])))
        }
    }

    /// A tokenizer's folder: one that is here, or `owner/name:pattern`.
    public static func tokenizer(_ text: String) -> ModelConfig {
        guard !FileManager.default.fileExists(atPath: text), let colon = text.lastIndex(of: ":")
        else { return ModelConfig(path: text) }
        return ModelConfig(
            modelID: String(text[..<colon]),
            originFilePattern: String(text[text.index(after: colon)...]))
    }
}

extension TrainingFiles {
    /// Finds or fetches the files of all entries, and tells from them which component each is.
    ///
    /// - Parameters:
    ///   - tokenizer: nil takes the one beside the text encoder, or in its repository; without a text
    ///     encoder none is looked for.
    ///   - needed: components that the task uses; others are left alone.
    /// - Throws: `ModelError`, and those of `ModelConfig.resolved(_:onEvent:)`.
    public init(
        _ entries: [ModelEntry], tokenizer: ModelConfig?, _ settings: HubSettings,
        onEvent: @escaping @Sendable (DownloadEvent) -> Void
    ) async throws {
        var encoder: ModelEntry?
        for entry in entries {
            let files = try await entry.config.resolved(settings, onEvent: onEvent)
            guard let component = try Checkpoint(weights: files).detection?.component else {
                throw ModelError(
                    path: files[0],
                    reason: .wrongContent(
                        expected: "a transformer, text encoder or autoencoder of FLUX.2",
                        found: "something else"))
            }
            if let other = weights.updateValue(files, forKey: component) {
                throw ModelError(
                    path: files[0],
                    reason: .mismatch("is a second \(component.rawValue), beside \(other[0])"))
            }
            if entry.storage != .asStored { storage[component] = entry.storage }
            keptAsStored[component] = entry.keptAsStored
            if component == .textEncoder { encoder = entry }
            if component == .transformer {
                distillation = Distillation(
                    transformer: files[0], repository: entry.config.modelID)
            }
        }
        guard let encoder, let files = weights[.textEncoder] else { return }
        if let tokenizer {
            self.tokenizer = try await tokenizer.resolved(settings, onEvent: onEvent)[0]
        } else {
            self.tokenizer = try await encoder.config.tokenizer(
                beside: files[0], settings, onEvent: onEvent)
        }
    }
}
