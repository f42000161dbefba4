internal import Torch

/// What a GGUF file's metadata say about the language model in it.
///
/// Keys are llama.cpp's, as in `qwen3.attention.head_count`.
public struct LanguageModelMetadata: Hashable, Sendable {
    /// The entry `general.architecture`.
    public var architecture: String
    /// All entries that are numbers, by their keys.
    public var numbers: [String: Double]

    /// Takes an architecture's name and numbers as the file has them.
    public init(architecture: String, numbers: [String: Double]) {
        self.architecture = architecture
        self.numbers = numbers
    }

    /// The family that FLUX.2 knows the architecture as; nil for others.
    ///
    /// Mistral Small is a `llama`, as older versions of llama.cpp convert it, or a `mistral3`.
    var family: TextEncoderConfiguration.Family? {
        switch architecture {
        case "qwen3": .qwen3
        case "llama", "mistral3": .mistral3
        default: nil
        }
    }

    /// Channels per head.
    var headSize: Int? {
        if let size = count("attention.key_length") ?? count("rope.dimension_count") { return size }
        guard let width = count("embedding_length"), let heads = count("attention.head_count")
        else {
            return nil
        }
        return heads > 0 ? width / heads : nil
    }

    /// Whether positions are rotated otherwise than by the powers of a base.
    var scalesRotation: Bool { (self["rope.scaling.factor"] ?? 1) != 1 }

    /// Why no ``TextEncoderConfiguration`` follows, in words.
    public var obstacle: String {
        if scalesRotation {
            return "'\(architecture).rope.scaling.factor' is \(self["rope.scaling.factor"] ?? 0); "
                + "models whose positions are scaled are not read"
        }
        let counts = [
            "embedding_length", "feed_forward_length", "block_count", "attention.head_count",
        ]
        let reals = ["rope.freq_base", "attention.layer_norm_rms_epsilon"]
        let missing = counts.filter { count($0) == nil } + reals.filter { real($0) == nil }
        return missing.first.map { "no usable '\(architecture).\($0)' in its metadata" }
            ?? "numbers in its metadata that do not fit each other"
    }

    func count(_ key: String) -> Int? {
        self[key].flatMap { Int(exactly: $0) }.flatMap { 0..<1 << 31 ~= $0 ? $0 : nil }
    }

    /// A number as it was meant: files have the `Float` next to it.
    func real(_ key: String) -> Double? { self[key].flatMap { Double(Float($0).description) } }

    private subscript(_ key: String) -> Double? { numbers["\(architecture).\(key)"] }
}

extension TextEncoderConfiguration {
    /// The architecture that a GGUF file's metadata tell; the vocabulary's size is that of the
    /// embedding table.
    ///
    /// - Returns: nil when the architecture is none that FLUX.2 reads prompts with, an entry is
    ///   missing or does not fit the others, or positions are scaled.
    public init?(_ metadata: LanguageModelMetadata, _ shapes: TensorShapes) {
        guard let family = metadata.family, !metadata.scalesRotation,
            let width = metadata.count("embedding_length"),
            let hidden = metadata.count("feed_forward_length"),
            let layers = metadata.count("block_count"),
            let heads = metadata.count("attention.head_count"),
            let size = metadata.headSize,
            let theta = metadata.real("rope.freq_base"),
            let epsilon = metadata.real("attention.layer_norm_rms_epsilon"),
            let vocabulary = shapes["token_embd.weight"]?.first
        else { return nil }
        let shared = metadata.count("attention.head_count_kv") ?? heads
        guard heads > 0, shared > 0, heads % shared == 0 else { return nil }
        self.init(
            family: family, width: width, feedForwardWidth: hidden, layerCount: layers,
            headCount: heads, keyValueHeadCount: shared, headSize: size,
            vocabularySize: vocabulary, rotaryTheta: theta, epsilon: epsilon)
        guard (try? check()) != nil else { return nil }
    }
}
