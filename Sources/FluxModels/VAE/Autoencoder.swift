public import Torch

/// The variational autoencoder between images and latents.
///
/// Latents are the mean of the encoder's distribution, with 2x2 patches folded into channels and
/// normalized by running statistics; there is no other scale or shift.
///
/// - Source: `AutoencoderKLFlux2`, diffusers; `flux2_vae.py`, DiffSynth-Studio.
public struct Autoencoder {
    /// The architecture that the parameters were declared by.
    public let configuration: AutoencoderConfiguration
    private let encoder: VAEEncoder
    private let decoder: VAEDecoder
    private let quantConvolution: Convolution?
    private let postQuantConvolution: Convolution?
    private let mean: Parameter
    private let variance: Parameter

    /// Declares the model under `scope`; weights are loaded into its parameters afterwards.
    public init(_ scope: Scope, _ configuration: AutoencoderConfiguration) {
        self.configuration = configuration
        let channels = configuration.latentChannels
        encoder = VAEEncoder(scope["encoder"], configuration)
        decoder = VAEDecoder(scope["decoder"], configuration)
        func convolution(_ name: String, _ channels: Int) -> Convolution {
            Convolution(scope[name], from: channels, to: channels, size: 1)
        }
        quantConvolution =
            configuration.hasQuantConvolution ? convolution("quant_conv", 2 * channels) : nil
        postQuantConvolution =
            configuration.hasPostQuantConvolution ? convolution("post_quant_conv", channels) : nil
        mean = scope["bn"].parameter("running_mean", [configuration.patchedChannels])
        variance = scope["bn"].parameter("running_var", [configuration.patchedChannels])
    }

    /// Encodes images to normalized latents.
    ///
    /// - Shapes: `image` [B, 3, H, W] from -1 to 1, H and W multiples of 16
    ///   → [B, 4C, H/16, W/16].
    public func encode(_ image: Tensor, observe: Observer = ignoreOutputs) throws -> Tensor {
        try latents(ofMoments: moments(of: image, observe: observe))
    }

    /// Decodes normalized latents to images, nominally from -1 to 1.
    ///
    /// - Shapes: `latents` [B, 4C, H/16, W/16] → [B, 3, H, W].
    public func decode(_ latents: Tensor, observe: Observer = ignoreOutputs) throws -> Tensor {
        try decode(unpatched: denormalizedUnpatched(latents), observe: observe)
    }

    /// The mean, then the log-variance, of the latents of an image.
    ///
    /// - Shapes: `image` [B, 3, H, W] → [B, 2C, H/8, W/8].
    public func moments(
        of image: Tensor, observe: Observer = ignoreOutputs
    ) throws -> Tensor {
        let moments = try encoder(image, observe: observe)
        return try quantConvolution?(moments) ?? moments
    }

    /// Decodes latents that are neither folded nor normalized.
    ///
    /// - Shapes: `latents` [B, C, H/8, W/8] → [B, 3, H, W].
    public func decode(
        unpatched latents: Tensor, observe: Observer = ignoreOutputs
    ) throws -> Tensor {
        try decoder(postQuantConvolution?(latents) ?? latents, observe: observe)
    }

    /// ``moments(of:observe:)`` strip by strip.
    func moments(of image: Tensor, by strips: Strips, observe: Observer) throws -> Tensor {
        let moments = try encoder(image, by: strips, observe: observe)
        return try quantConvolution?(moments) ?? moments
    }

    /// ``decode(unpatched:observe:)`` strip by strip.
    func decode(
        unpatched latents: Tensor, by strips: Strips, observe: Observer
    ) throws -> Tensor {
        try decoder(postQuantConvolution?(latents) ?? latents, by: strips, observe: observe)
    }

    /// Latents of an image from the encoder's moments: their mean, folded and normalized.
    ///
    /// - Shapes: `moments` [B, 2C, H/8, W/8] → [B, 4C, H/16, W/16].
    public func latents(ofMoments moments: Tensor) throws -> Tensor {
        let mean = try moments.slice(0..<configuration.latentChannels, along: 1)
        return try normalize(Self.patchify(mean))
    }

    /// Undoes the normalization and folding of latents.
    ///
    /// - Shapes: `latents` [B, 4C, H/16, W/16] → [B, C, H/8, W/8].
    public func denormalizedUnpatched(_ latents: Tensor) throws -> Tensor {
        try Self.unpatchify(denormalize(latents))
    }

    /// The means of latents, and their variances as estimated from a sample.
    ///
    /// - Parameter latents: neither folded nor normalized, [B, C, h, w].
    /// - Shapes: → [2, 4C] of `float32`.
    /// - Source: `torch.nn.BatchNorm2d`.
    public static func statistics(of latents: Tensor) throws -> Tensor {
        let z = try patchify(latents).to(dtype: .float32)
        let axes = [0, 2, 3]
        let mean = try z.mean(along: axes)
        let centerd = try z - mean.reshaped([1, -1, 1, 1])
        let count = Double(z.size(0) * z.size(2) * z.size(3))
        let variance = try centerd.square().mean(along: axes) * (count / max(1, count - 1))
        return try .stacking([mean, variance], along: 0)
    }

    /// Moves the running statistics of latents towards those of a batch, as training does.
    ///
    /// - Shapes: `statistics` [2, 4C].
    public func updateRunningStatistics(_ statistics: Tensor) throws {
        let share = configuration.statisticsMomentum
        for (row, parameter) in [mean, variance].enumerated() {
            let value = try statistics.selecting(row, along: 0)
            let running = try parameter.value(like: value)
            try parameter.assignBuffer(running * (1 - share) + value * share)
        }
    }

    private func normalize(_ z: Tensor) throws -> Tensor {
        let (mean, deviation) = try statistics(like: z)
        return try (z - mean) / deviation
    }

    private func denormalize(_ z: Tensor) throws -> Tensor {
        let (mean, deviation) = try statistics(like: z)
        return try z * deviation + mean
    }

    private func statistics(like z: Tensor) throws -> (mean: Tensor, deviation: Tensor) {
        let shape = [1, configuration.patchedChannels, 1, 1]
        let deviation = try (variance.value(like: z) + configuration.latentEpsilon).sqrt()
        return try (mean.value(like: z).reshaped(shape), deviation.reshaped(shape))
    }

    /// Folds 2x2 patches into channels, channel first, then row, then column.
    ///
    /// - Shapes: `z` [B, C, h, w] → [B, 4C, h/2, w/2].
    public static func patchify(_ z: Tensor) throws -> Tensor {
        let (b, c, h, w) = (z.size(0), z.size(1), z.size(2), z.size(3))
        return try z.reshaped([b, c, h / 2, 2, w / 2, 2]).permuted([0, 1, 3, 5, 2, 4])
            .reshaped([b, 4 * c, h / 2, w / 2])
    }

    /// Undoes `patched(_:)`.
    ///
    /// - Shapes: `z` [B, 4C, h, w] → [B, C, 2h, 2w].
    public static func unpatchify(_ z: Tensor) throws -> Tensor {
        let (b, c, h, w) = (z.size(0), z.size(1) / 4, z.size(2), z.size(3))
        return try z.reshaped([b, c, 2, 2, h, w]).permuted([0, 1, 4, 2, 5, 3])
            .reshaped([b, c, 2 * h, 2 * w])
    }
}
