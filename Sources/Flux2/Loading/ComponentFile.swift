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
    /// - Throws: `ModelError` when it holds something else than `expected`.
    init(_ path: String, expected: Component) throws {
        checkpoint = try Checkpoint(path: path)
        var shapes: TensorShapes = [:]
        for name in checkpoint.names { shapes[name] = checkpoint[name]?.info.shape }
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

    /// The architecture: from `config.json` beside the weights, else from their shapes.
    func configuration<T: Decodable>(_ derived: T?) throws -> T {
        let path = checkpoint.location
        let folder =
            path.hasSuffix(".safetensors") || path.hasSuffix(".json")
            ? URL(fileURLWithPath: path).deletingLastPathComponent().path : path
        let file = folder + "/config.json"
        if FileManager.default.fileExists(atPath: file) {
            return try Configuration.read(T.self, from: file)
        }
        if let derived { return derived }
        throw ModelError(
            path: path,
            reason: .missingComponent(
                "architecture", expected: "\(file), since the shapes alone do not tell it"))
    }

    func loader() -> WeightLoader {
        WeightLoader(checkpoint, recipe: layout.recipe, isSpare: layout.isSpare)
    }
}
