internal import FileSupport
internal import FluxModels
internal import Foundation
internal import LoRA
internal import ModelHub
internal import Offloading
internal import Checkpoints
internal import Torch

/// A complete model's folder, made of a model and of what was trained on it.
public struct ModelAssembly {
    /// How far the work is.
    public struct Progress: Hashable, Sendable {
        /// Bytes of the model that are done.
        public var done: Int
        /// Bytes of the model.
        public var total: Int
    }

    private let base: ModelFolder
    private let tokenizer: String
    private let settings: AssemblySettings
    private let components: [AssembledComponent]

    /// Looks at a model, and finds the place of all that is to change in it; no weight is read.
    ///
    /// - Parameters:
    ///   - model: a folder in the hub's layout, or the name of one that is on this machine.
    ///   - settings: what changes.
    /// - Throws: `WeightError` for weights of a checkpoint that the model does not have, or has in
    ///   another shape; `ModelError` for a checkpoint that holds none, for a LoRA among them, and
    ///   for a model that cannot be changed; `LoRAError`; what opening files throws.
    public init(model: String, _ settings: AssemblySettings) throws {
        let hub = try HubSettings()
        let folders = try ModelFolder.named(model, hub)
        // What only shares the name is no base: the transformer's own folder is.
        base = folders.first { $0.has(.transformer) } ?? folders[0]
        try Self.check(settings.index, base)
        let files = try ModelFiles(model: model, settings: hub)
        let parts = try ModelParts(files)
        tokenizer = files.tokenizer
        self.settings = settings
        components = try Component.allCases.map {
            try AssembledComponent(
                $0, parts.file(of: $0), parts.architecture.parameters(of: $0),
                dtype: settings.dtype)
        }
        let places = CheckpointPlaces(components)
        let mixed = try settings.checkpoints.compactMap { try places.take($0) }
        try fold(mixed, places)
        for part in components { try part.requireChangeable() }
    }

    /// Refuses fields that the index could not be read with.
    private static func check(_ fields: [IndexField], _ base: ModelFolder) throws {
        let bytes = try JSONObjectFile.edited(base.path + "/model_index.json", fields)
        _ = try Configuration.decode(ModelFolder.Index.self, Data(bytes), of: "index")
    }

    /// Adds LoRAs to the weights of all components.
    ///
    /// - Parameter mixed: those of checkpoints with whole weights, at their whole strength unless
    ///   they are named with another.
    private func fold(_ mixed: [LoRAFile], _ places: CheckpointPlaces) throws {
        for use in settings.loras { try use.check() }
        let named = try settings.loras.map { ($0, try LoRAFile(path: $0.path)) }
        let implied = mixed.filter { file in !named.contains { $0.0.path == file.path } }
        for (use, file) in named where !settings.checkpoints.contains(use.path) {
            try places.refuseWholeWeights(file)
        }
        let all = implied.map { (LoRAUse(path: $0.path), $0) } + named
        let targets = AdapterTargets(components.flatMap(\.parameters).shapes)
        let changes = try all.map { use, file in
            let changes = try file.changes(for: targets)
            try changes.requireAll(of: file)
            return (changes, use)
        }
        for part in components {
            let keys = Set(part.parameters.map(\.key))
            part.fold(changes.map { ($0.0.of(keys), $0.1) })
        }
    }

    /// Writes the folder, which appears complete or not at all.
    ///
    /// Files keep their names, and tensors theirs; files in which nothing changes are copied, links
    /// followed. Weights at the top of the model's folder are left out: they would be the old ones.
    ///
    /// - Parameters:
    ///   - path: the folder; in one that is there, and neither in the model's nor around it.
    ///   - overwrite: whether another model's folder of that name may be replaced.
    ///   - onProgress: called after each weight and file; what it throws ends the work.
    /// - Returns: what was taken from where.
    /// - Throws: `FileError`; `ModelError` for a place that is no good; `WeightError` for weights that
    ///   are not finite; what `onProgress` throws.
    public func write(
        to path: String, overwrite: Bool = false,
        onProgress: @escaping (Progress) throws -> Void = { _ in }
    ) throws -> AssemblyReport {
        try check(target: path, overwrite: overwrite)
        return try AtomicFolder.write(path, overwrite: overwrite) { draft in
            try withoutGradients {
                let writer = try AssemblyWriter(
                    base: base.path, tokenizer: tokenizer, components, settings, to: draft,
                    named: path, onProgress)
                let report = try writer.write()
                // What could not be loaded does not get its name.
                _ = try ModelParts(ModelFiles(model: draft))
                return report
            }
        }
    }

    /// Refuses places where something would be lost.
    ///
    /// - Throws: `FileError`, `ModelError`.
    public func check(target path: String, overwrite: Bool) throws {
        try AtomicFolder.checkWritable(path, overwrite: overwrite)
        let target = realPath(path) + "/"
        let read = [base.path, tokenizer] + components.map(\.folder)
        for source in read.map(realPath)
        where (source + "/").hasPrefix(target) || target.hasPrefix(source + "/") {
            throw ModelError(
                path: path, reason: .mismatch("lies where the model is; choose another folder"))
        }
        for source in settings.checkpoints + settings.loras.map(\.path)
        where realPath(source).hasPrefix(target) {
            throw ModelError(path: path, reason: .mismatch("\(source) is in it, and would be lost"))
        }
        guard LocalFiles.isFolder(path),
            !FileManager.default.fileExists(atPath: path + "/model_index.json")
        else { return }
        throw ModelError(
            path: path, reason: .mismatch("is no model's folder, and is not replaced"))
    }
}

extension ModelParts {
    fileprivate func file(of component: Component) -> ComponentFile {
        switch component {
        case .transformer: transformer
        case .textEncoder: encoder
        case .autoencoder: autoencoder
        }
    }
}

extension Architecture {
    /// The weights of a component, declared and not loaded.
    fileprivate func parameters(of component: Component) -> [Parameter] {
        let scope = Scope()
        switch component {
        case .transformer: _ = FluxTransformer(scope, transformer)
        case .textEncoder: _ = TextEncoder(scope, encoder)
        case .autoencoder: _ = Autoencoder(scope, autoencoder)
        }
        return scope.parameters
    }
}
