internal import FileSupport
internal import FluxModels
internal import Foundation
internal import ModelHub
internal import Offloading
internal import Torch

/// What text features follow from, besides the tokens of the prompt.
struct PromptCacheKey {
    private let text: String

    /// Looks at the headers of the weights, at when their files were written, and at some of their
    /// bytes; reading all would take as long as encoding.
    init(
        _ weights: Checkpoint, _ configuration: TextEncoderConfiguration, device: Device,
        dtype: DType, storage: WeightStorage
    ) throws {
        var parts = ["1", Runtime.version, "\(configuration)", "\(device)", dtype.name]
        if storage != .asStored { parts.append("\(storage)") }
        if device.kind == .cpu {
            parts += [Runtime.cpuCapability, "\(Runtime.threads)", KernelSet.current.rawValue]
        }
        for file in weights.files {
            let attributes = try? FileManager.default.attributesOfItem(
                atPath: URL(fileURLWithPath: file.path).resolvingSymlinksInPath().path)
            let written = (attributes?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
            // What GGUF files say of their tensors may be behind megabytes of words.
            let tensors = Checksum.of(Array("\(file.weights)".utf8), .sha256).value
            parts += ["\(written)", tensors, try FileFingerprint.digest(of: file.path)]
        }
        text = parts.joined(separator: "\n")
    }

    /// The name of the features of these tokens.
    func key(_ tokens: PromptEmbeddingCache.Key) -> String {
        let ids = zip(tokens.ids, tokens.mask).map { $1 ? "\($0)" : "-" }.joined(separator: " ")
        return Checksum.of(Array((text + "\n" + ids).utf8), .sha256).value
    }
}
