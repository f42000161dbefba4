internal import Domains

/// The architecture published in a checkpoint's `transformer/config.json`.
public struct TransformerConfiguration: Hashable, Sendable {
    /// Double-stream blocks: text and image have weights of their own.
    public var doubleBlockCount: Int
    /// Single-stream blocks: one sequence, one set of weights.
    public var singleBlockCount: Int
    /// Attention heads in every block.
    public var headCount: Int
    /// Channels per head.
    public var headSize: Int
    /// Channels of a latent token.
    public var latentChannels = 128
    /// Width of the text features.
    public var textWidth: Int
    /// The feed-forward's hidden width over the model's.
    public var feedForwardRatio = 3.0
    /// Whether the model takes guidance as an input (dev) or not (klein).
    public var embedsGuidance: Bool
    /// Channels of a head for each coordinate of a position: t, h, w and place in the text.
    public var rotaryAxes: [Int]
    /// The base of the rotary frequencies.
    public var rotaryTheta = 2000.0
    /// Width of the timestep's sinusoid.
    public var timestepChannels = 256
    /// Added to variance or mean square in all normalizations.
    public var epsilon = 1e-6

    /// The hidden width D.
    public var width: Int { headCount * headSize }
    /// The feed-forward's hidden width.
    public var feedForwardWidth: Int { Int(Double(width) * feedForwardRatio) }
}

extension TransformerConfiguration: Codable {
    enum CodingKeys: String, CodingKey {
        case doubleBlockCount = "num_layers"
        case singleBlockCount = "num_single_layers"
        case headCount = "num_attention_heads"
        case headSize = "attention_head_dim"
        case latentChannels = "in_channels"
        case textWidth = "joint_attention_dim"
        case feedForwardRatio = "mlp_ratio"
        case embedsGuidance = "guidance_embeds"
        case rotaryAxes = "axes_dims_rope"
        case rotaryTheta = "rope_theta"
        case timestepChannels = "timestep_guidance_channels"
        case epsilon = "eps"
    }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        doubleBlockCount = try fields.decode(Int.self, forKey: .doubleBlockCount)
        singleBlockCount = try fields.decode(Int.self, forKey: .singleBlockCount)
        headCount = try fields.decode(Int.self, forKey: .headCount)
        headSize = try fields.decode(Int.self, forKey: .headSize)
        textWidth = try fields.decode(Int.self, forKey: .textWidth)
        // The first published dev configuration has no such field; its model takes guidance.
        embedsGuidance = try fields.decodeIfPresent(Bool.self, forKey: .embedsGuidance) ?? true
        rotaryAxes = try fields.decode([Int].self, forKey: .rotaryAxes)
        try decodeConstants(fields)
        try check()
        guard rotaryAxes.reduce(0, +) == headSize, rotaryAxes.allSatisfy({ $0 > 0 && $0 % 2 == 0 })
        else {
            throw DecodingError.dataCorruptedError(
                forKey: .rotaryAxes, in: fields,
                debugDescription: "axes \(rotaryAxes) must be even and add up to \(headSize)")
        }
    }

    private mutating func decodeConstants(_ fields: KeyedDecodingContainer<CodingKeys>) throws {
        func read<T: Decodable>(_ key: CodingKeys, _ standard: T) throws -> T {
            try fields.decodeIfPresent(T.self, forKey: key) ?? standard
        }
        latentChannels = try read(.latentChannels, latentChannels)
        feedForwardRatio = try read(.feedForwardRatio, feedForwardRatio)
        rotaryTheta = try read(.rotaryTheta, rotaryTheta)
        timestepChannels = try read(.timestepChannels, timestepChannels)
        epsilon = try read(.epsilon, epsilon)
    }
}

extension TransformerConfiguration {
    /// The widest model that numbers stay below.
    static let largestWidth = 65536

    /// - Throws: `NumberError` naming a field of `config.json` with a number that no transformer has.
    public func check() throws {
        try NumericField.layers.check(doubleBlockCount)
        try NumericField.singleLayers.check(singleBlockCount)
        try NumericField.attentionHeads.check(headCount)
        try NumericField.attentionHeadSize.check(headSize)
        try NumericField.inChannels.check(latentChannels)
        try NumericField.jointAttentionSize.check(textWidth)
        try NumericField.mlpRatio.check(feedForwardRatio)
        try NumericField.ropeAxes.check(rotaryAxes, count: 4...4)
        try NumericField.ropeTheta.check(rotaryTheta)
        try NumericField.timestepChannels.check(timestepChannels)
        try NumericField.epsilon.check(epsilon)
        guard width <= Self.largestWidth, feedForwardWidth > 0 else {
            throw NumberError(
                name: "'num_attention_heads' times 'attention_head_dim'",
                expected: "a width from 1 to \(Self.largestWidth)", found: "\(width)")
        }
        guard timestepChannels % 2 == 0 else {
            throw NumberError(
                name: "'timestep_guidance_channels'", expected: "even",
                found: "\(timestepChannels)")
        }
    }
}
