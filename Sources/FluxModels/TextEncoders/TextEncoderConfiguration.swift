internal import Domains

/// The architecture of a text encoder, which is the lower part of a language model.
public struct TextEncoderConfiguration: Hashable, Sendable {
    /// The families whose hidden states FLUX.2 models were trained with.
    public enum Family: String, Hashable, Sendable {
        /// Qwen3, for klein.
        case qwen3
        /// The text part of Mistral Small 3, for dev.
        case mistral3

        /// The hidden states that the published models take, by how many layers they have passed.
        public var taps: [Int] {
            switch self {
            case .qwen3: [9, 18, 27]
            case .mistral3: [10, 20, 30]
            }
        }

        /// Whether queries and keys are normalized per head.
        var normalizesHeads: Bool { self == .qwen3 }
    }

    /// Decides how prompts are put, and whether heads are normalized.
    public var family: Family
    /// The hidden states that are taken, by how many layers they have passed.
    public var taps: [Int]
    /// The hidden width D.
    public var width: Int
    /// The feed-forward's hidden width.
    public var feedForwardWidth: Int
    /// Layers in the file; those past the last tap are not used.
    public var layerCount: Int
    /// Heads of queries.
    public var headCount: Int
    /// Heads of keys and values, each shared by `headCount / keyValueHeadCount` of queries.
    public var keyValueHeadCount: Int
    /// Channels per head.
    public var headSize: Int
    /// Rows of the embedding table.
    public var vocabularySize: Int
    /// The base of the rotary frequencies.
    public var rotaryTheta: Double
    /// Added to the mean square in all normalizations.
    public var epsilon: Double

    /// An architecture by its numbers; that of a file is decoded from its `config.json`.
    public init(
        family: Family, width: Int, feedForwardWidth: Int, layerCount: Int, headCount: Int,
        keyValueHeadCount: Int, headSize: Int, vocabularySize: Int, rotaryTheta: Double,
        epsilon: Double
    ) {
        self.family = family
        taps = family.taps
        self.width = width
        self.feedForwardWidth = feedForwardWidth
        self.layerCount = layerCount
        self.headCount = headCount
        self.keyValueHeadCount = keyValueHeadCount
        self.headSize = headSize
        self.vocabularySize = vocabularySize
        self.rotaryTheta = rotaryTheta
        self.epsilon = epsilon
    }

    /// The layers that are used.
    public var depth: Int { taps.max() ?? 0 }
    /// Width of the features that the transformer receives.
    public var featureWidth: Int { taps.count * width }
}

extension TextEncoderConfiguration: Decodable {
    enum CodingKeys: String, CodingKey {
        case modelType = "model_type"
        case text = "text_config"
        case width = "hidden_size"
        case feedForwardWidth = "intermediate_size"
        case layerCount = "num_hidden_layers"
        case headCount = "num_attention_heads"
        case keyValueHeadCount = "num_key_value_heads"
        case headSize = "head_dim"
        case vocabularySize = "vocab_size"
        case rotaryTheta = "rope_theta"
        case rotaryParameters = "rope_parameters"
        case epsilon = "rms_norm_eps"
        case taps = "text_encoder_out_layers"
    }

    private struct RotaryParameters: Decodable {
        var theta: Double?
        enum CodingKeys: String, CodingKey { case theta = "rope_theta" }
    }

    public init(from decoder: any Decoder) throws {
        let outer = try decoder.container(keyedBy: CodingKeys.self)
        family = try Self.family(outer)
        taps = try outer.decodeIfPresent([Int].self, forKey: .taps) ?? family.taps
        try NumericField.outLayers.check(taps, count: 1...64)
        guard (taps.max() ?? 0) > 0, Set(taps).count == taps.count
        else {
            throw DecodingError.dataCorruptedError(
                forKey: .taps, in: outer, debugDescription: "\(taps) must be different layers")
        }
        let fields =
            outer.contains(.text)
            ? try outer.nestedContainer(keyedBy: CodingKeys.self, forKey: .text) : outer
        width = try fields.decode(Int.self, forKey: .width)
        feedForwardWidth = try fields.decode(Int.self, forKey: .feedForwardWidth)
        layerCount = try fields.decode(Int.self, forKey: .layerCount)
        headCount = try fields.decode(Int.self, forKey: .headCount)
        keyValueHeadCount = try fields.decode(Int.self, forKey: .keyValueHeadCount)
        headSize = try fields.decodeIfPresent(Int.self, forKey: .headSize) ?? 128
        vocabularySize = try fields.decode(Int.self, forKey: .vocabularySize)
        epsilon = try fields.decode(Double.self, forKey: .epsilon)
        // Newer versions of the library that writes these files moved the base one level down.
        let nested = try fields.decodeIfPresent(RotaryParameters.self, forKey: .rotaryParameters)
        rotaryTheta = try nested?.theta ?? fields.decode(Double.self, forKey: .rotaryTheta)
        try check()
        guard headCount % keyValueHeadCount == 0 else {
            throw DecodingError.dataCorruptedError(
                forKey: .keyValueHeadCount, in: fields,
                debugDescription: "\(headCount) heads cannot share \(keyValueHeadCount)")
        }
    }

    private static func family(_ fields: KeyedDecodingContainer<CodingKeys>) throws -> Family {
        switch try fields.decode(String.self, forKey: .modelType) {
        case "qwen3": return .qwen3
        case "mistral3", "mistral": return .mistral3
        case let other:
            throw DecodingError.dataCorruptedError(
                forKey: .modelType, in: fields,
                debugDescription: "a '\(other)' model; FLUX.2 takes qwen3, mistral3 or mistral")
        }
    }
}

extension TextEncoderConfiguration {
    /// Heads times channels that numbers stay below.
    private static let largestWidth = 131_072

    /// - Throws: `NumberError` naming a field of `config.json` with a number that no encoder has.
    public func check() throws {
        try NumericField.outLayers.check(taps, count: 1...64)
        try NumericField.hiddenSize.check(width)
        try NumericField.intermediateSize.check(feedForwardWidth)
        try NumericField.hiddenLayers.check(layerCount)
        try NumericField.attentionHeads.check(headCount)
        try NumericField.keyValueHeads.check(keyValueHeadCount)
        try NumericField.headSize.check(headSize)
        try NumericField.vocabularySize.check(vocabularySize)
        try NumericField.ropeTheta.check(rotaryTheta)
        try NumericField.rmsNormEpsilon.check(epsilon)
        guard headSize % 2 == 0, headCount * headSize <= Self.largestWidth else {
            throw NumberError(
                name: "'head_dim'",
                expected: "even, and at most \(Self.largestWidth) for all of \(headCount) heads",
                found: "\(headSize)")
        }
    }
}
