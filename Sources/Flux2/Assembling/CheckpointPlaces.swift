internal import FluxModels
internal import LoRA
internal import Offloading
internal import Checkpoints
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

    /// Has components take all whole weights of a checkpoint.
    ///
    /// - Returns: the LoRA that the file holds besides; nil where it holds none.
    /// - Throws: `WeightError` for a name that the model does not have; `ModelError` for a file
    ///   without weights, and for one of a LoRA alone; those of `AssembledComponent.take`.
    func take(_ path: String) throws -> LoRAFile? {
        let file = try SafetensorsFile(path: path)
        guard !file.tensors.isEmpty else {
            throw ModelError(path: path, reason: .mismatch("holds no weights"))
        }
        let lora = file.holdsLoRA ? try LoRAFile(path: path) : nil
        let names = lora?.foreignTensors ?? file.tensors.map(\.name)
        guard !names.isEmpty else {
            throw ModelError(
                path: path,
                reason: .mismatch(
                    "is a LoRA, which --lora folds in; --checkpoint takes a full checkpoint"))
        }
        let unknown = names.filter { places[$0] == nil }.sorted()
        if let first = unknown.first {
            throw WeightError(file: path, key: first, reason: .unused(count: unknown.count))
        }
        for name in names {
            guard let (part, parameter) = places[name], let info = file[name] else { continue }
            try part.take(info, of: file, for: parameter)
        }
        return lora
    }

    /// Refuses a LoRA's file whose whole weights would be lost.
    ///
    /// - Throws: `LoRAError`.
    func refuseWholeWeights(_ file: LoRAFile) throws {
        let whole = file.foreignTensors.filter { places[$0] != nil }.sorted()
        guard let first = whole.first else { return }
        throw LoRAError(path: file.path, reason: .wholeWeights(count: whole.count, first: first))
    }
}

extension SafetensorsFile {
    /// Whether names of low-rank changes are among those of its tensors.
    var holdsLoRA: Bool { tensors.contains { $0.name.contains("lora_") } }
}
