internal import Domains

/// The architecture published in a checkpoint's `vae/config.json`.
public struct AutoencoderConfiguration: Hashable, Sendable {
    /// Channels per level of the encoder, from full resolution down.
    public var encoderWidths: [Int]
    /// Channels per level of the decoder, in the same order; a small decoder has its own.
    public var decoderWidths: [Int]
    /// Channels of a latent, before 2x2 patches are folded into them.
    public var latentChannels = 32
    /// Residual units per level of the encoder; the decoder has one more.
    public var resnetsPerLevel = 2
    /// Groups that the channels of every map are normalized in.
    public var normGroups = 32
    /// Whether a 1x1 convolution follows the encoder.
    public var hasQuantConvolution = true
    /// Whether a 1x1 convolution precedes the decoder.
    public var hasPostQuantConvolution = true
    /// Added to the variance of a group.
    public var normEpsilon = 1e-6
    /// Added to the running variance when latents are normalized.
    public var latentEpsilon = 1e-4
    /// How much of a batch's statistics goes into the running ones while training.
    public var statisticsMomentum = 0.1

    /// Image pixels per latent on a side.
    public var spatialFactor: Int { 1 << (encoderWidths.count - 1) }
    /// Channels of a latent token.
    public var patchedChannels: Int { 4 * latentChannels }
}

extension AutoencoderConfiguration: Decodable {
    enum CodingKeys: String, CodingKey {
        case widths = "block_out_channels"
        case decoderWidths = "decoder_block_out_channels"
        case latentChannels = "latent_channels"
        case resnetsPerLevel = "layers_per_block"
        case normGroups = "norm_num_groups"
        case latentEpsilon = "batch_norm_eps"
        case statisticsMomentum = "batch_norm_momentum"
        case hasQuantConvolution = "use_quant_conv"
        case hasPostQuantConvolution = "use_post_quant_conv"
    }

    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        encoderWidths = try fields.decode([Int].self, forKey: .widths)
        decoderWidths =
            try fields.decodeIfPresent([Int].self, forKey: .decoderWidths) ?? encoderWidths
        latentChannels = try fields.decode(Int.self, forKey: .latentChannels)
        resnetsPerLevel = try fields.decode(Int.self, forKey: .resnetsPerLevel)
        normGroups = try fields.decode(Int.self, forKey: .normGroups)
        latentEpsilon =
            try fields.decodeIfPresent(Double.self, forKey: .latentEpsilon) ?? latentEpsilon
        statisticsMomentum =
            try fields.decodeIfPresent(Double.self, forKey: .statisticsMomentum)
            ?? statisticsMomentum
        hasQuantConvolution =
            try fields.decodeIfPresent(Bool.self, forKey: .hasQuantConvolution) ?? true
        hasPostQuantConvolution =
            try fields.decodeIfPresent(Bool.self, forKey: .hasPostQuantConvolution) ?? true
        try check()
        let widths = encoderWidths + decoderWidths
        guard encoderWidths.count == decoderWidths.count,
            widths.allSatisfy({ $0 % normGroups == 0 })
        else {
            throw DecodingError.dataCorruptedError(
                forKey: .widths, in: fields,
                debugDescription: "\(widths) must be multiples of \(normGroups) groups")
        }
    }
}

extension AutoencoderConfiguration {
    /// - Throws: `NumberError` naming a field of `config.json` with a number that no autoencoder has.
    public func check() throws {
        try NumericField.blockChannels.check(encoderWidths, count: 1...8)
        try NumericField.decoderBlockChannels.check(decoderWidths, count: 1...8)
        try NumericField.latentChannels.check(latentChannels)
        try NumericField.layersPerBlock.check(resnetsPerLevel)
        try NumericField.normGroups.check(normGroups)
        try NumericField.batchNormEpsilon.check(latentEpsilon)
        try NumericField.batchNormMomentum.check(statisticsMomentum)
    }
}
