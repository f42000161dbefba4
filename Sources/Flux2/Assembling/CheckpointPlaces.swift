internal import FluxModels
internal import Residency
internal import Safetensors
internal import Torch

/// Where the weights of training checkpoints belong in a model.
struct CheckpointPlaces {
    private var places: [String: (part: AssembledComponent, parameter: Parameter)] = [:]

    /// Every weight goes by its canonical name, with or without what DiffSynth-Studio puts before it.
    init(_ components: [AssembledComponent]) {
        let family = components.lazy.compactMap(\.family).first
        for part in components {
            let prefix = part.component.trainingPrefix(family)
            for parameter in part.parameters {
                for name in [prefix + parameter.key, parameter.key] {
                    places[name] = (part, parameter)
                }
            }
        }
    }

    /// Has components take all weights of a checkpoint.
    ///
    /// - Throws: `WeightError` for a name that the model does not have; `ModelError` for a file
    ///   without weights, and for a LoRA; those of `AssembledComponent.take`.
    func take(_ path: String) throws {
        let file = try SafetensorsFile(path: path)
        guard !file.tensors.isEmpty else {
            throw ModelError(path: path, reason: .mismatch("holds no weights"))
        }
        guard !file.tensors.contains(where: { $0.name.contains("lora_") }) else {
            throw ModelError(
                path: path,
                reason: .mismatch(
                    "is a LoRA, which --lora folds in; --checkpoint takes a full checkpoint"))
        }
        let unknown = file.tensors.map(\.name).filter { places[$0] == nil }.sorted()
        if let first = unknown.first {
            throw WeightError(file: path, key: first, reason: .unused(count: unknown.count))
        }
        for info in file.tensors {
            guard let (part, parameter) = places[info.name] else { continue }
            try part.take(info, of: file, for: parameter)
        }
    }
}
