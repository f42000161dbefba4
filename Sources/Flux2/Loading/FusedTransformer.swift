internal import Domains
internal import FluxModels
internal import FileSupport
internal import Foundation
public import LoRA
internal import Offloading
internal import Checkpoints
internal import Torch

/// A transformer that LoRAs are folded into for good, to be written as a checkpoint of its own.
public struct FusedTransformer {
    private let weights: TransformerWeights
    private let configuration: String

    /// - Parameter model: a model's folder, or a transformer's file, index or folder; of 16 or 32
    ///   bits.
    /// - Throws: `ModelError` for weights of fewer bits, and what opening it throws.
    public init(model: String) throws {
        let paths = try transformerPath(model)
        weights = try TransformerWeights(paths)
        let path = paths[0]
        configuration = ComponentFile.configurationPath(beside: path)
        for parameter in weights.parameters {
            let weight = try parameter.stored()
            guard case .dense(let values) = weight, values.dtype.byteCount > 1 else {
                throw ModelError(
                    path: path,
                    reason: .wrongContent(
                        expected: "weights of 16 or 32 bits to fold LoRAs into",
                        found: "'\(parameter.key)' \(weight.width)"))
            }
        }
    }

    /// The modules that LoRAs may change.
    public var targets: AdapterTargets {
        AdapterTargets(weights.byKey.mapValues(\.shape))
    }

    /// Writes all weights under their canonical names, in the types that they are stored in, and
    /// `config.json` beside them where there is none.
    ///
    /// Changes are added in float32, one LoRA after the other, and rounded once.
    ///
    /// - Parameter onWeight: told how many of how many are written.
    /// - Throws: `RequestError` for a strength that is no finite number, `FileError`,
    ///   `SafetensorsError`, `TorchError`.
    public func write(
        with changes: [(changes: LoRAChanges, strength: Double)], to path: String,
        overwrite: Bool, onWeight: @escaping (Int, Int) -> Void = { _, _ in }
    ) throws {
        for change in changes { try NumericSetting.loraStrength.require(change.strength) }
        var done = 0
        let tensors = weights.parameters.sorted { $0.key < $1.key }.map { parameter in
            TensorToWrite(
                name: parameter.key, type: type(of: parameter), shape: parameter.shape
            ) { sink in
                try fused(parameter, changes).withBytes { try sink($0) }
                done += 1
                onWeight(done, weights.parameters.count)
            }
        }
        try SafetensorsWriter.write(
            to: path, tensors: tensors, metadata: ["format": "pt"], overwrite: overwrite)
        let beside = URL(fileURLWithPath: path).deletingLastPathComponent().path + "/config.json"
        if let bytes = WholeFile.contents(configuration),
            !FileManager.default.fileExists(atPath: beside)
        {
            try AtomicFile.write(beside, bytes: Array(bytes), overwrite: false)
        }
    }

    private func type(of parameter: Parameter) -> ElementType {
        guard case .loaded(.dense(let values)) = parameter.storage,
            let type = ElementType(values.dtype)
        else { preconditionFailure("'\(parameter.key)' was dense before") }
        return type
    }

    private func fused(
        _ parameter: Parameter, _ all: [(changes: LoRAChanges, strength: Double)]
    ) throws -> Tensor {
        guard case .loaded(.dense(let stored)) = parameter.storage else {
            preconditionFailure("'\(parameter.key)' was dense before")
        }
        return try LoRAFusion(all)(stored, parameter.key, dtype: stored.dtype).contiguous()
    }
}
