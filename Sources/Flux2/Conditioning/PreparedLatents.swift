internal import FluxModels
internal import Imaging
internal import Torch

/// The latents that denoising starts from, with inpainting and reference tokens.
struct PreparedLatents {
    /// The noisy start, [1, T, C].
    var start: Tensor
    /// Clean tokens of the input image, [1, T, C].
    var clean: Tensor?
    /// What of the input image stays.
    var inpaintBlend: InpaintBlend?
    var references: References?

    /// - Parameters:
    ///   - noise: [1, C, h, w].
    ///   - sigma: the first noise level.
    ///   - encode: an image to latents [1, C, h, w].
    init(
        _ request: GenerationRequest, noise: Tensor, sigma: Float,
        encode: (Image) throws -> Tensor
    ) throws {
        try self.init(noise: noise, sigma: sigma, input: request.inputImage.map(encode))
        if let image = request.inputImage, let inpainting = request.inpainting {
            try keep(
                InpaintMask.tokens(
                    of: inpainting.mask, height: image.height, width: image.width,
                    blurSize: inpainting.blur?.size, blurSigma: inpainting.blur?.sigma,
                    dtype: noise.dtype, device: noise.device))
        }
        references = try References(request.fittedEditImages.map(encode))
    }

    /// - Shapes: `noise` and the latents of the image to start from, `input`, [1, C, h, w].
    init(noise: Tensor, sigma: Float, input: Tensor?) throws {
        start = try LatentTokens.pack(noise)
        guard let input else { return }
        let tokens = try LatentTokens.pack(input)
        start = try FlowStep.noised(tokens, noise: start, sigma: sigma)
        clean = tokens
    }

    /// Keeps the image that is started from where a mask is 0.
    ///
    /// - Shapes: `mask` [1, T, 1].
    mutating func keep(_ mask: Tensor) {
        inpaintBlend = clean.map { InpaintBlend(clean: $0, mask: mask) }
    }
}
