public import Imaging
public import Torch

/// A mask image at the resolution of latent tokens: 1 is painted anew, 0 is kept.
///
/// - Source: `Flux2Unit_Inpaint`, DiffSynth-Studio.
public enum InpaintMask {
    /// - Parameters:
    ///   - blurSize, blurSigma: both are needed for blurring; a kernel of 2·size + 1 tokens.
    /// - Shapes: → [1, H/16 · W/16, 1].
    public static func tokens(
        of mask: Image, height: Int, width: Int, blurSize: Int? = nil, blurSigma: Double? = nil,
        dtype: DType, device: Device = .cpu
    ) throws -> Tensor {
        let small = mask.resized(width: width / 16, height: height / 16, filter: .bicubic)
        var levels = try Tensor.pixels(of: small, dtype: dtype, signed: false, device: device)
            .mean(along: [1], keepingAxes: true)
        if let blurSize, let blurSigma {
            levels = try blurred(levels, size: blurSize, sigma: blurSigma)
        }
        return try levels.reshaped([1, -1, 1])
    }

    /// Gaussian blur with a mirrored border.
    ///
    /// - Shapes: `x` [1, 1, h, w] → the same.
    static func blurred(_ x: Tensor, size: Int, sigma: Double) throws -> Tensor {
        let places = try Tensor.linspace(-Double(size), Double(size), count: 2 * size + 1)
            .to(dtype: x.dtype, device: x.device)
        let bell = try ((places / sigma).power(2) * -0.5).exp()
        let kernel = try bell / bell.sum()
        let square = try kernel.unsqueezed(1).matmul(kernel.unsqueezed(0))
        let padded = try x.paddedByReflection([size, size, size, size])
        return try convolved(padded, square.unsqueezed(0).unsqueezed(0))
    }
}
