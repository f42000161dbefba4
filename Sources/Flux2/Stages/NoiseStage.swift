public import Torch

/// Draws the noise that an image starts from, bit for bit as DiffSynth-Studio draws it.
public struct NoiseStage {
    /// Channels of a latent token.
    public var channels = 128
    /// The type that numbers are drawn in, which decides their values.
    public var dtype: DType
    /// Where the numbers are drawn.
    public var randomDevice = Device.cpu

    /// Draws in a type, on a device; another kind of device draws other numbers.
    public init(dtype: DType, randomDevice: Device = .cpu) {
        self.dtype = dtype
        self.randomDevice = randomDevice
    }

    /// - Parameters:
    ///   - height, width: pixels, multiples of 16.
    /// - Shapes: → [1, channels, H/16, W/16], drawn in this order.
    public func callAsFunction(seed: UInt64, height: Int, width: Int) throws -> Tensor {
        try .randn(
            [1, channels, height / 16, width / 16],
            generator: Generator(seed: seed, device: randomDevice), dtype: dtype)
    }
}

/// Latents as tokens and back.
public enum LatentTokens {
    /// - Shapes: `grid` [B, C, h, w] → [B, h·w, C].
    public static func pack(_ grid: Tensor) throws -> Tensor {
        try grid.reshaped([grid.size(0), grid.size(1), -1]).transposed(1, 2).contiguous()
    }

    /// - Shapes: `tokens` [B, h·w, C] → [B, C, h, w].
    public static func unpack(_ tokens: Tensor, height: Int, width: Int) throws -> Tensor {
        try tokens.transposed(1, 2).contiguous()
            .reshaped([tokens.size(0), tokens.size(2), height, width])
    }
}
