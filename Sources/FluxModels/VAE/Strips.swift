public import Torch

/// Strips of rows through the autoencoder, with the statistics of the whole image: the result of
/// the whole, bit for bit, in a fraction of the memory.
///
/// The input and the output of one unit are held at a time; an upsampled map too large to be held is
/// computed where it is needed, three times. Images come one at a time.
public struct Strips: Hashable, Sendable {
    /// The size in bytes, counted in 16-bit types, up to which an upsampled map is held.
    public var heldBytes: Int
    /// The size up to which a unit's input is passed through it as a whole, counted likewise.
    public var wholeBytes: Int
    /// The size of a strip of a map, counted likewise.
    public var stripBytes: Int

    /// Limits for the memory of one image; smaller ones save more of it and take longer.
    public init(
        heldBytes: Int = 600 << 20, wholeBytes: Int = 100 << 20, stripBytes: Int = 32 << 20
    ) {
        self.heldBytes = heldBytes
        self.wholeBytes = wholeBytes
        self.stripBytes = stripBytes
    }

    /// The bytes of the largest map that encoding or decoding an image at once makes.
    public static func largestMap(
        _ configuration: AutoencoderConfiguration, height: Int, width: Int
    ) -> Int {
        let widths = configuration.decoderWidths
        return 2 * widths[min(1, widths.count - 1)] * height * width
    }

    /// - Shapes: `image` [1, 3, H, W] → [1, 2C, H/8, W/8].
    public func moments(
        of image: Tensor, _ autoencoder: Autoencoder, observe: Observer = ignoreOutputs
    ) throws -> Tensor {
        precondition(image.size(0) == 1, "strips take one image at a time")
        return try HostMemory.trimmingPool {
            try autoencoder.moments(of: image, by: self, observe: observe)
        }
    }

    /// - Shapes: `latents` [1, C, h, w] → [1, 3, 8h, 8w].
    public func decode(
        unpatched latents: Tensor, _ autoencoder: Autoencoder, observe: Observer = ignoreOutputs
    ) throws -> Tensor {
        precondition(latents.size(0) == 1, "strips take one image at a time")
        return try HostMemory.trimmingPool {
            try autoencoder.decode(unpatched: latents, by: self, observe: observe)
        }
    }
}

extension ResnetBlock {
    func callAsFunction(_ x: LazyFeatureMap, _ strips: Strips) throws -> Tensor {
        if x.byteCount <= strips.wholeBytes { return try self(x.materialized()) }
        let hidden = try x.activated(norm1).convolved(conv1).materialized()
        return try LazyFeatureMap(hidden, strips).activated(norm2)
            .convolved(conv2, adding: shortcut.map { x.convolved($0) } ?? x)
            .materialized(over: hidden)
    }
}
