package import FluxModels
internal import Foundation
internal import Checkpoints
internal import ModelHub
package import Offloading
internal import Torch

/// The checkpoint of one component, looked at but not loaded.
package struct ComponentFile {
    package let checkpoint: Checkpoint
    package let content: Detection.Content
    package let keyMap: KeyMap
    /// Whether it is on this machine; else only its shapes are known.
    private let isHere: Bool

    /// The part of a published model that is not on this machine, as its makers describe it.
    ///
    /// - Parameter place: what errors and plans call it.
    package init(published model: Variant, _ component: Component, place: String) {
        let isWide = model == .dev && component == .autoencoder
        checkpoint = Checkpoint(
            expected: place, isWide ? .F32 : .BF16, model.transformer.shapes(of: component))
        content = model.transformer.content(of: component)
        keyMap = KeyMap(name: "diffusers", transform: { .identity($0) })
        isHere = false
    }

    /// Opens a checkpoint and tells what it holds.
    ///
    /// - Parameter paths: a file, an index, a folder, or several files that make up one checkpoint.
    /// - Throws: `ModelError` when it holds something else than `expected`.
    package init(_ paths: [String], expected: Component) throws {
        let path = paths.first ?? ""
        isHere = true
        checkpoint = try Checkpoint(weights: paths)
        if !checkpoint.isGGUF {
            try WeightLoader.requireKnownFormats(in: Self.folder(of: checkpoint.location))
        }
        try WeightLoader.requireKnownFormats(checkpoint)
        guard let found = checkpoint.detection else {
            let kind = checkpoint.languageModel.map {
                "a '\($0.architecture.prefix(40))' model of "
            }
            throw ModelError(
                path: path,
                reason: .wrongContent(
                    expected: "a FLUX.2 \(expected.rawValue)",
                    found: (kind ?? "") + "\(checkpoint.names.count) tensors such as "
                        + "'\(checkpoint.names.min() ?? "none")'"))
        }
        guard found.component == expected else {
            throw ModelError(
                path: path,
                reason: .wrongContent(
                    expected: "a FLUX.2 \(expected.rawValue)",
                    found: "a \(found.component?.rawValue ?? "LoRA")"))
        }
        content = found.content
        keyMap = found.keyMap
    }

    /// Where `config.json` would be.
    var configurationPath: String { Self.configurationPath(beside: checkpoint.location) }

    /// The `config.json` that belongs to a file, an index or a folder.
    static func configurationPath(beside path: String) -> String {
        folder(of: path) + "/config.json"
    }

    private static func folder(of path: String) -> String {
        LocalFiles.isFolder(path)
            ? path : URL(fileURLWithPath: path).deletingLastPathComponent().path
    }

    /// The architecture: from `config.json` beside the weights, else from their shapes.
    ///
    /// GGUF files say themselves what they are; a `config.json` beside one may be about anything.
    package func configuration<T: Decodable>(_ derived: T?) throws -> T {
        if checkpoint.isGGUF || !isHere, let derived { return derived }
        if case .textEncoder = content, let model = checkpoint.languageModel {
            throw ModelError(
                path: checkpoint.location, reason: .badConfiguration(model.obstacle))
        }
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

    package func loader() -> WeightLoader {
        WeightLoader(checkpoint, transform: keyMap.transform, isIgnorable: keyMap.isIgnorable)
    }
}

extension Checkpoint {
    /// Opens the files of one component; shards that hold nothing needed may be missing.
    package init(weights paths: [String]) throws {
        let others = paths.count == 1 ? Self.otherParts(of: paths[0]) : []
        if paths.count == 1, others.isEmpty {
            try self.init(path: paths[0], spare: \.ignorableFiles)
        } else {
            try self.init(files: (paths + others).sorted())
        }
    }

    /// The other parts of a GGUF file that was split, as far as they are there: it has no index.
    private static func otherParts(of path: String) -> [String] {
        guard path.hasSuffix(".gguf") else { return [] }
        return LocalFiles.missingShards(of: [path])
            .filter(FileManager.default.fileExists(atPath:))
    }

    /// Whether the files are in llama.cpp's format.
    var isGGUF: Bool { files.contains { $0 is GGUFFile } }

    /// What GGUF files say about a language model in them.
    var languageModel: LanguageModelMetadata? {
        for case let file as GGUFFile in files {
            guard let architecture = file.string("general.architecture") else { continue }
            return LanguageModelMetadata(architecture: architecture, numbers: file.numbers)
        }
        return nil
    }

    /// What the files hold; nil when it is nothing that FLUX.2 uses.
    package var detection: Detection? { Detection(shapes, metadata: languageModel) }

    /// The shapes of all tensors by name.
    var shapes: TensorShapes {
        names.reduce(into: [:]) { $0[$1] = self[$1]?.info.shape }
    }
}

extension StoredWeight {
    /// How few bits its values have, in words; for those of fewer than 16.
    var width: String {
        if case .blocks(let blocks) = self {
            "in blocks of \(blocks.format.name)"
        } else {
            "of 8 bits"
        }
    }
}
