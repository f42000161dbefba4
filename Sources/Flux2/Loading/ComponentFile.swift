internal import FluxModels
internal import Foundation
internal import Residency
internal import Safetensors
internal import Torch

/// The checkpoint of one component, looked at but not loaded.
struct ComponentFile {
    let checkpoint: Checkpoint
    let content: Detection.Content
    let layout: Layout

    /// Opens a checkpoint and tells what it holds.
    ///
    /// - Parameter paths: a file, an index, a folder, or several files that make up one checkpoint.
    /// - Throws: `ModelError` when it holds something else than `expected`.
    init(_ paths: [String], expected: Component) throws {
        let path = paths.first ?? ""
        checkpoint = try Checkpoint(weights: paths)
        try WeightLoader.requireKnownFormats(checkpoint)
        let shapes = checkpoint.shapes
        guard let found = Detection(shapes) else {
            throw ModelError(
                path: path,
                reason: .wrongContent(
                    expected: "a FLUX.2 \(expected.rawValue)",
                    found: "\(shapes.count) tensors such as '\(shapes.keys.min() ?? "none")'"))
        }
        guard found.component == expected else {
            throw ModelError(
                path: path,
                reason: .wrongContent(
                    expected: "a FLUX.2 \(expected.rawValue)",
                    found: "a \(found.component?.rawValue ?? "LoRA")"))
        }
        content = found.content
        layout = found.layout
    }

    /// Where `config.json` would be.
    var configurationPath: String { Self.configurationPath(beside: checkpoint.location) }

    /// The `config.json` that belongs to a file, an index or a folder.
    static func configurationPath(beside path: String) -> String {
        let folder =
            path.hasSuffix(".safetensors") || path.hasSuffix(".json")
            ? URL(fileURLWithPath: path).deletingLastPathComponent().path : path
        return folder + "/config.json"
    }

    /// The architecture: from `config.json` beside the weights, else from their shapes.
    func configuration<T: Decodable>(_ derived: T?) throws -> T {
        let file = configurationPath
        if FileManager.default.fileExists(atPath: file) {
            return try Configuration.read(T.self, from: file)
        }
        if let derived { return derived }
        throw ModelError(
            path: checkpoint.location,
            reason: .missingComponent(
                "architecture", expected: "\(file), since the shapes alone do not tell it"))
    }

    func loader() -> WeightLoader {
        WeightLoader(checkpoint, recipe: layout.recipe, isSpare: layout.isSpare)
    }
}

extension Checkpoint {
    /// Opens the files of one component; shards that hold nothing needed may be missing.
    init(weights paths: [String]) throws {
        if paths.count == 1 {
            try self.init(path: paths[0], spare: \.spareFiles)
        } else {
            try self.init(files: paths)
        }
    }

    /// The shapes of all tensors by name.
    var shapes: TensorShapes {
        names.reduce(into: [:]) { $0[$1] = self[$1]?.info.shape }
    }
}
