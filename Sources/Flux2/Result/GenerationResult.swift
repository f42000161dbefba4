public import Imaging
internal import Checkpoints
public import Torch

/// A finished image with what is worth knowing about its making.
public struct GenerationResult: Sendable {
    /// The image, of the request's rounded size.
    public var image: Image
    /// The final latents, [1, C, h, w].
    public var latents: HostTensor
    /// The noise that the run started from, [1, C, h, w].
    public var noise: HostTensor
    /// How long each stage took.
    public var timings: Timings
    /// How much memory each stage took.
    public var memory: MemoryUse
    /// What each stage had to compute.
    public var work: StageWork
    /// What was expected of memory before.
    public var plan: MemoryPlan
    /// What came while it was computed.
    public var streamed: Streamed
    /// Steps that took over most of their work from earlier ones.
    public var skippedSteps = 0
    /// What may make the image another one than expected: the texts of all
    /// ``GenerationEvent/warned(_:)``, each once.
    public var warnings: [String] = []
}

/// Weights that came while an image was computed.
public struct Streamed: Hashable, Sendable, Codable {
    /// Groups of weights that came, each time counted.
    public var units = 0
    /// Bytes that were copied to a device, or to what stands for one.
    public var moved = 0
    /// Bytes that were read from the disk on the way.
    public var read = 0
    /// Seconds that computing waited for weights.
    public var waited = 0.0
}

/// The most private memory of the process in each stage, in bytes; nil for what was not done.
///
/// Mapped weights are not among it; what a stage leaves with the process counts to those after it.
public struct MemoryUse: Hashable, Sendable, Codable {
    /// Prompts to features, or reading remembered ones.
    public var encode: Int?
    /// Encoding input and reference images.
    public var images: Int?
    /// All noise levels.
    public var denoise: Int?
    /// Latents to pixels.
    public var decode: Int?

    private enum CodingKeys: String, CodingKey {
        case encode, images = "pictures", denoise, decode
    }
}

/// What was computed in each stage.
public struct StageWork: Hashable, Sendable, Codable {
    /// Prompts to features.
    public var encode = OperationCounts()
    /// Encoding input and reference images.
    public var images = OperationCounts()
    /// All noise levels.
    public var denoise = OperationCounts()
    /// Latents to pixels.
    public var decode = OperationCounts()

    private enum CodingKeys: String, CodingKey {
        case encode, images = "pictures", denoise, decode
    }
}

/// Seconds per stage.
public struct Timings: Hashable, Sendable, Codable {
    /// Opening the model in its first run: headers, configurations, tokenizer.
    public var load = 0.0
    /// Prompts to features, loading of the text encoder included.
    public var encode = 0.0
    /// Encoding input and reference images.
    public var images = 0.0
    /// One entry for each noise level.
    public var steps: [Double] = []
    /// Latents to pixels.
    public var decode = 0.0

    private enum CodingKeys: String, CodingKey {
        case load, encode, images = "pictures", steps, decode
    }
}

extension GenerationResult {
    /// Writes `latents` and `noise` to a safetensors file.
    public func saveLatents(to path: String, overwrite: Bool) throws {
        try SafetensorsWriter.write(
            to: path,
            tensors: [("latents", latents), ("noise", noise)].map { name, record in
                TensorToWrite(
                    name: name, type: record.type, shape: record.shape, bytes: record.bytes)
            }, metadata: ["format": "pt"], overwrite: overwrite)
    }
}
