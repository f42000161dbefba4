internal import FileSupport
public import LoRA
internal import Offloading
internal import Checkpoints
public import Torch

/// Writes what was trained in the form of DiffSynth-Studio's checkpoints.
public struct CheckpointWriter {
    /// The folder of checkpoints.
    public var folder: String
    /// What is taken off the beginning of names.
    public var removedPrefix: String
    /// The naming of LoRA files.
    public var dialect = LoRADialect.diffsynth
    /// What the file says about itself.
    public var metadata: [String: String] = [:]

    /// Writes to a folder, which need not be there yet.
    public init(folder: String, removedPrefix: String = "pipe.dit.") {
        self.folder = folder
        self.removedPrefix = removedPrefix
    }

    /// Writes one file, which appears complete or not at all; for PEFT a folder with it and its settings.
    ///
    /// - Parameters:
    ///   - name: such as `epoch-0`; the ending is added.
    ///   - values: other values than those that are trained now, by parameter name.
    /// - Returns: the path.
    /// - Throws: `FileError`, `SafetensorsError`.
    @discardableResult
    public func write(
        _ weights: TrainableWeights, as name: String, values: [String: Tensor] = [:]
    ) throws -> String {
        try Folder.make(folder)
        let path = "\(folder)/\(name).safetensors"
        if dialect == .diffsynth || weights.adapters.isEmpty {
            try writePlain(weights, to: path, values)
            return path
        }
        // PEFT loads folders.
        let place = dialect == .peft ? "\(folder)/\(name)" : path
        return try writeLoRA(weights, to: place, values)
    }

    private func writePlain(
        _ weights: TrainableWeights, to path: String, _ values: [String: Tensor]
    ) throws {
        let tensors = try weights.parameters.map { parameter in
            try TensorToWrite(
                shortened(parameter.name), values[parameter.name] ?? parameter.tensor,
                in: parameter.tensor.dtype)
        }
        try SafetensorsWriter.write(
            to: path, tensors: tensors + alphas(weights),
            metadata: metadata.merging(["format": "pt"]) { _, fixed in fixed })
    }

    private func shortened(_ name: String) -> String {
        name.hasPrefix(removedPrefix) ? String(name.dropFirst(removedPrefix.count)) : name
    }

    /// DiffSynth-Studio's importer knows alphas, though its trainer never writes one.
    private func alphas(_ weights: TrainableWeights) throws -> [TensorToWrite] {
        let ending = "lora_A.default.weight"
        let adapters = Dictionary(
            weights.adapters.values.compactMap { adapter in
                adapter.delta.tensors.first.map { (ObjectIdentifier($0), adapter) }
            }
        ) { first, _ in first }
        return try weights.parameters.compactMap { parameter in
            guard parameter.name.hasSuffix(ending),
                let adapter = adapters[ObjectIdentifier(parameter.tensor)], adapter.scale != 1,
                let rank = adapter.delta.rank
            else { return nil }
            let alpha = try Tensor.from([Float(adapter.scale * Double(rank))], shape: [])
            return try TensorToWrite(
                shortened(parameter.name).dropLast(ending.count) + "alpha", alpha, in: .float32)
        }
    }

    private func writeLoRA(
        _ weights: TrainableWeights, to path: String, _ values: [String: Tensor]
    ) throws -> String {
        let byTensor = Dictionary(
            weights.parameters.map { (ObjectIdentifier($0.tensor), $0.name) }
        ) { first, _ in first }
        func current(_ tensor: Tensor) throws -> Tensor {
            let name = byTensor[ObjectIdentifier(tensor)] ?? ""
            return try (values[name] ?? tensor).detached()
                .to(dtype: tensor.dtype, device: .cpu)
        }
        let adapters = try weights.adapters.mapValues { adapter in
            guard case .lowRank(let down, let up) = adapter.delta else { return adapter }
            return Adapter(
                .lowRank(down: try current(down), up: try current(up)), scale: adapter.scale)
        }
        return try LoRAWriter(adapters, dialect: dialect, source: path, metadata: metadata)
            .write(to: path, overwrite: true)
    }
}

extension TensorToWrite {
    /// A tensor in another type, moved to the host when it is written.
    init(_ name: String, _ tensor: Tensor, in dtype: DType) throws {
        guard let type = ElementType(dtype) else {
            preconditionFailure("\(dtype.name) is never trained")
        }
        self.init(name: name, type: type, shape: tensor.shape) { sink in
            try withoutGradients {
                try tensor.detached().to(dtype: dtype, device: .cpu).contiguous()
                    .withBytes { try sink($0) }
            }
        }
    }
}
