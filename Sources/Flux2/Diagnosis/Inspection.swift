internal import FluxModels
internal import Foundation
internal import Offloading

/// What a checkpoint, or each part of a model's folder, holds.
public struct Inspection: Hashable, Sendable, Codable {
    /// The file or folder that was looked at.
    public var path: String
    /// `transformer`, `text_encoder`, `vae`, `lora`, or nil for something else.
    public var component: String?
    /// The published model with this architecture, or `custom`.
    public var model: String?
    /// What a GGUF file calls its architecture.
    public var architecture: String?
    /// How the tensors are named.
    public var layout: String?
    /// DiffSynth-Studio's sum over names and shapes.
    public var keyHash: String
    /// Files that the checkpoint is made of; more than one where it is sharded.
    public var files: Int
    /// Tensors in all files.
    public var tensors: Int
    /// Elements of all tensors, whatever their types.
    public var parameters: Int
    /// Bytes of all tensors, without headers.
    public var bytes: Int
    /// Tensors per type of elements or blocks.
    public var types: [String: Int]
    /// Bytes per type of elements or blocks.
    public var typeBytes: [String: Int]
    /// The notes in the files' headers.
    public var metadata: [String: String]

    /// Looks at a file, an index, a folder of shards, or a folder in the hub's layout.
    ///
    /// - Parameter path: its path, or the name of the ``BundledModel``.
    /// - Returns: one entry per component.
    /// - Throws: `ModelError` when nothing is there; `SafetensorsError` or `GGUFError` for a damaged
    ///   file.
    public static func of(_ path: String) throws -> [Inspection] {
        let path = BundledModel.path(path)
        let parts = Component.allCases.map { path + "/" + $0.rawValue }
            .filter(FileManager.default.fileExists(atPath:))
        var found = try (parts.isEmpty ? [path] : parts).map(Inspection.init(checkpoint:))
        let name = try? ModelFolder(path: path).index()?.className
        if let title = PipelineClass.title(name) {
            for place in found.indices where found[place].component == "transformer" {
                found[place].model = title
            }
        }
        return found
    }

    private init(checkpoint path: String) throws {
        let checkpoint = try Checkpoint(weights: [path])
        let infos = checkpoint.names.compactMap { checkpoint[$0]?.info }
        self.path = path
        files = checkpoint.files.count
        tensors = infos.count
        parameters = infos.reduce(0) { $0 + $1.elementCount }
        bytes = infos.reduce(0) { $0 + $1.byteCount }
        types = Dictionary(infos.map { ($0.type.name, 1) }, uniquingKeysWith: +)
        typeBytes = Dictionary(infos.map { ($0.type.name, $0.byteCount) }, uniquingKeysWith: +)
        metadata = checkpoint.metadata
        let shapes = Dictionary(infos.map { ($0.name, $0.shape) }, uniquingKeysWith: { a, _ in a })
        keyHash = KeyHash.of(shapes)
        architecture = checkpoint.languageModel?.architecture
        guard let found = checkpoint.detection else { return }
        component = found.component?.rawValue ?? "lora"
        layout = found.keyMap.name
        model = found.content.model
    }
}

extension Detection.Content {
    /// The published model with this architecture; distilled and base models share theirs.
    fileprivate var model: String? {
        switch self {
        case .transformer(let shape):
            shape.flatMap(PublishedTransformer.init)?.rawValue ?? "custom"
        case .textEncoder(let family, let shape):
            switch (family, shape?.width) {
            case (.qwen3, 2560): "Qwen3-4B (klein-4B, klein-base-4B)"
            case (.qwen3, 4096): "Qwen3-8B (klein-9B, klein-base-9B)"
            case (.mistral3, 5120): "Mistral-Small-3.2-24B (dev)"
            default: "custom \(family.rawValue)"
            }
        case .autoencoder(let shape):
            shape?.encoderWidths == [128, 256, 512, 512] ? "FLUX.2 (all models)" : "custom"
        case .lora: nil
        }
    }
}
