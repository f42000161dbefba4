internal import FluxModels
internal import Imaging
internal import Torch

/// What denoising begins with besides text.
struct Canvas {
    /// The noisy start, [1, T, C].
    var start: Tensor
    /// Clean tokens of the input picture, [1, T, C].
    var clean: Tensor?
    /// What of the input picture stays.
    var kept: KeptPicture?
    var references: References?

    /// - Parameters:
    ///   - noise: [1, C, h, w].
    ///   - sigma: the first noise level.
    ///   - encode: a picture to latents [1, C, h, w].
    init(
        _ request: GenerationRequest, noise: Tensor, sigma: Float,
        encode: (Image) throws -> Tensor
    ) throws {
        start = try LatentTokens.pack(noise)
        if let image = request.inputImage {
            let tokens = try LatentTokens.pack(encode(image))
            start = try FlowStep.noised(tokens, noise: start, sigma: sigma)
            clean = tokens
            if let inpainting = request.inpainting {
                kept = KeptPicture(
                    clean: tokens,
                    mask: try InpaintMask.tokens(
                        of: inpainting.mask, height: image.height, width: image.width,
                        blurSize: inpainting.blur?.size, blurSigma: inpainting.blur?.sigma,
                        dtype: noise.dtype, device: noise.device))
            }
        }
        references = try References(request.fittedEditImages, encode: encode)
    }
}
