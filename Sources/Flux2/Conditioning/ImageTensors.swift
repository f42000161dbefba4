public import Imaging
public import Torch

extension Tensor {
    /// The pixels of an image as numbers from -1 to 1, or from 0 to 1.
    ///
    /// - Parameter dtype: the type in which scaling is done, each operation rounded.
    /// - Shapes: → [1, 3, H, W].
    /// - Source: `preprocess_image`, DiffSynth-Studio.
    public static func pixels(
        of image: Image, dtype: DType, signed: Bool = true, device: Device = .cpu
    ) throws -> Tensor {
        try pixels(ofLevels: levels(of: image), dtype: dtype, signed: signed, device: device)
    }

    /// The bytes of an image.
    ///
    /// - Shapes: → [H, W, 3] of `uint8`.
    static func levels(of image: Image) throws -> Tensor {
        try image.pixels.withUnsafeBytes {
            try .from(bytes: $0, shape: [image.height, image.width, 3], dtype: .uint8)
        }
    }

    /// - Shapes: `levels` [H, W, 3] of `uint8` → [1, 3, H, W].
    static func pixels(
        ofLevels levels: Tensor, dtype: DType, signed: Bool = true, device: Device
    ) throws -> Tensor {
        let values = try levels.to(dtype: .float32).to(dtype: dtype, device: device)
        let scaled = try signed ? values * (2.0 / 255) + -1 : values * (1.0 / 255)
        return try scaled.permuted([2, 0, 1]).unsqueezed(0)
    }

    /// An image from numbers nominally from -1 to 1.
    ///
    /// - Shapes: [1, 3, H, W].
    /// - Source: `vae_output_to_image`, DiffSynth-Studio; `VaeImageProcessor`, diffusers.
    package func image(_ rounding: Parity.PixelRounding = .truncate) throws -> Image {
        let rows = try levels(rounding).to(device: .cpu).to(dtype: .uint8)
        return Image(width: rows.size(1), height: rows.size(0), pixels: try rows.values())
    }

    /// Pixels as numbers from 0 to 255, in the type that they are rounded in.
    ///
    /// - Shapes: [1, 3, H, W] → [H, W, 3].
    func levels(_ rounding: Parity.PixelRounding) throws -> Tensor {
        let levels =
            switch rounding {
            case .truncate: try (squeezed(0) + 1) * 127.5
            case .truncate32:
                try (squeezed(0).clamped(to: -1...1).to(dtype: .float32) + 1) * 127.5
            case .nearest:
                try ((squeezed(0) * 0.5 + 0.5).clamped(to: 0...1).to(dtype: .float32) * 255)
                    .round()
            }
        return try levels.clamped(to: 0...255).permuted([1, 2, 0])
    }
}
