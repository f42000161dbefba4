public import Torch

/// Tiles that overlap and are blended linearly, one after the other, as diffusers does it.
///
/// Normalization and attention see one tile at a time, so the result differs from the whole.
///
/// - Source: `AutoencoderKLFlux2._tiled_encode`, `tiled_decode`, diffusers.
public struct OverlappingTiles: Hashable, Sendable {
    /// The side of a tile of the image, in pixels.
    public var imageTile: Int
    /// The side of a tile of latents.
    public var latentTile: Int
    /// The share of a tile that is blended with its neighbor.
    public var overlap: Double

    /// Tiles of 1024 pixels, a quarter of which is blended, unless told otherwise.
    public init(imageTile: Int = 1024, latentTile: Int = 128, overlap: Double = 0.25) {
        self.imageTile = imageTile
        self.latentTile = latentTile
        self.overlap = overlap
    }

    /// The moments of an image, tile by tile.
    ///
    /// - Shapes: `image` [B, 3, H, W] → [B, 2C, H/8, W/8].
    public func moments(
        of image: Tensor, _ autoencoder: Autoencoder, observe: Observer = ignoreOutputs
    ) throws -> Tensor {
        guard max(image.size(2), image.size(3)) > imageTile else {
            return try autoencoder.moments(of: image, observe: observe)
        }
        return try run(image, from: imageTile, to: latentTile) {
            try autoencoder.moments(of: $0, observe: observe)
        }
    }

    /// Decodes latents that are neither folded nor normalized, tile by tile.
    ///
    /// - Shapes: `latents` [B, C, h, w] → [B, 3, 8h, 8w].
    public func decode(
        unpatched latents: Tensor, _ autoencoder: Autoencoder, observe: Observer = ignoreOutputs
    ) throws -> Tensor {
        guard max(latents.size(2), latents.size(3)) > latentTile else {
            return try autoencoder.decode(unpatched: latents, observe: observe)
        }
        return try run(latents, from: latentTile, to: imageTile) {
            try autoencoder.decode(unpatched: $0, observe: observe)
        }
    }

    /// How many tiles decoding takes.
    public func count(latentHeight: Int, latentWidth: Int) -> Int {
        guard max(latentHeight, latentWidth) > latentTile else { return 1 }
        let stride = Int(Double(latentTile) * (1 - overlap))
        return ((latentHeight + stride - 1) / stride) * ((latentWidth + stride - 1) / stride)
    }

    /// - Parameters:
    ///   - from, to: sides of a tile before and after the model.
    private func run(
        _ x: Tensor, from: Int, to: Int, model: (Tensor) throws -> Tensor
    ) throws -> Tensor {
        let stride = Int(Double(from) * (1 - overlap))
        let blend = Int(Double(to) * overlap)
        var above: [Tensor] = []
        var rows: [Tensor] = []
        for top in Swift.stride(from: 0, to: x.size(2), by: stride) {
            let band = try x.slice(top..<min(top + from, x.size(2)), along: 2)
            var tiles: [Tensor] = []
            for left in Swift.stride(from: 0, to: x.size(3), by: stride) {
                var tile = try model(band.slice(left..<min(left + from, x.size(3)), along: 3))
                if !above.isEmpty {
                    tile = try Self.blend(above[tiles.count], into: tile, over: blend, along: 2)
                }
                if let before = tiles.last {
                    tile = try Self.blend(before, into: tile, over: blend, along: 3)
                }
                tiles.append(tile)
            }
            rows.append(try Self.concatenate(tiles, keeping: to - blend))
            above = tiles
        }
        return try .concatenating(rows, along: 2)
    }

    /// Fades from the end of one tile into the start of the next.
    private static func blend(
        _ before: Tensor, into tile: Tensor, over extent: Int, along axis: Int
    ) throws -> Tensor {
        let size = tile.size(axis)
        let extent = min(before.size(axis), size, extent)
        guard extent > 0 else { return tile }
        let shape = axis == 2 ? [1, 1, extent, 1] : [1, 1, 1, extent]
        let ramp = try (Tensor.arange(to: Double(extent)) / Double(extent)).reshaped(shape)
            .to(dtype: tile.dtype, device: tile.device)
        let end = try before.slice(before.size(axis) - extent..<before.size(axis), along: axis)
        let start = try tile.slice(0..<extent, along: axis)
        let mixed = try end * (1 - ramp) + start * ramp
        return try .concatenating([mixed, tile.slice(extent..<size, along: axis)], along: axis)
    }

    private static func concatenate(_ tiles: [Tensor], keeping side: Int) throws -> Tensor {
        try .concatenating(
            tiles.map {
                try $0.slice(0..<min(side, $0.size(2)), along: 2)
                    .slice(0..<min(side, $0.size(3)), along: 3)
            }, along: 3)
    }
}
