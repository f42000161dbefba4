public import Torch

/// Tiles whose borders fade into their neighbors, averaged by weight, as DiffSynth-Studio does it
/// with other models.
///
/// Normalization and attention see one tile at a time, so the result differs from the whole.
///
/// - Source: `tiled_decode`, `tiled_encode` of DiffSynth-Studio's video autoencoders.
public struct FeatheredTiles: Hashable, Sendable {
    /// The side of a tile, in latents of 8 pixels.
    public var size: Int
    /// From the start of a tile to that of the next, in latents; what is left overlaps.
    public var stride: Int

    /// Tiles of 1024 pixels that overlap by half, unless told otherwise; 1 ≤ stride ≤ size.
    public init(size: Int = 128, stride: Int = 64) {
        self.size = size
        self.stride = stride
    }

    /// The moments of an image, tile by tile.
    ///
    /// - Shapes: `image` [B, 3, H, W] → [B, 2C, H/8, W/8].
    public func moments(
        of image: Tensor, _ autoencoder: Autoencoder, observe: Observer = ignoreOutputs
    ) throws -> Tensor {
        let factor = autoencoder.configuration.spatialFactor
        return try run(image, from: factor, to: 1) {
            try autoencoder.moments(of: $0, observe: observe)
        }
    }

    /// Decodes latents that are neither folded nor normalized, tile by tile.
    ///
    /// - Shapes: `latents` [B, C, h, w] → [B, 3, 8h, 8w].
    public func decode(
        unpatched latents: Tensor, _ autoencoder: Autoencoder, observe: Observer = ignoreOutputs
    ) throws -> Tensor {
        let factor = autoencoder.configuration.spatialFactor
        return try run(latents, from: 1, to: factor) {
            try autoencoder.decode(unpatched: $0, observe: observe)
        }
    }

    /// How many tiles an image has.
    public func count(latentHeight: Int, latentWidth: Int) -> Int {
        spans(latentHeight).count * spans(latentWidth).count
    }

    /// The tiles along one side: the last one reaches the end.
    private func spans(_ length: Int) -> [Range<Int>] {
        Swift.stride(from: 0, to: length, by: stride).compactMap { start in
            start >= stride && start - stride + size >= length
                ? nil : start..<min(start + size, length)
        }
    }

    /// - Parameters:
    ///   - from, to: the sides of a latent before and after the model.
    private func run(
        _ x: Tensor, from: Int, to: Int, model: (Tensor) throws -> Tensor
    ) throws -> Tensor {
        let (height, width) = (x.size(2) / from, x.size(3) / from)
        var sum: Tensor?
        let weights = try Tensor.zeros([1, 1, height * to, width * to], device: x.device)
        for rows in spans(height) {
            let band = try x.slice(rows.scaled(by: from), along: 2)
            for columns in spans(width) {
                let tile = try model(band.slice(columns.scaled(by: from), along: 3))
                let mask = try mask(rows, height, columns, width, scale: to).to(device: x.device)
                let total =
                    try sum
                    ?? .zeros(
                        [tile.size(0), tile.size(1), height * to, width * to], device: x.device)
                sum = total
                for (target, part) in [
                    (total, try tile.to(dtype: .float32) * mask), (weights, mask),
                ] {
                    try target.slice(rows.scaled(by: to), along: 2)
                        .slice(columns.scaled(by: to), along: 3).addInPlace(part)
                }
            }
        }
        guard let sum else { preconditionFailure("an image has at least one tile") }
        return try (sum / weights).to(dtype: x.dtype)
    }

    /// The weight of every place of a tile: it falls towards neighbors, not towards the border.
    private func mask(
        _ rows: Range<Int>, _ height: Int, _ columns: Range<Int>, _ width: Int, scale: Int
    ) throws -> Tensor {
        let (down, across) = (
            ramp(rows, in: height, scale: scale), ramp(columns, in: width, scale: scale)
        )
        let values = down.flatMap { row in across.map { min(row, $0) } }
        return try Tensor.from(values, shape: [1, 1, down.count, across.count])
    }

    private func ramp(_ span: Range<Int>, in length: Int, scale: Int) -> [Float] {
        let border = (size - stride) * scale
        var values = [Float](repeating: 1, count: span.count * scale)
        for place in 0..<min(border, values.count) {
            let weight = Float(place + 1) / Float(border)
            if span.lowerBound > 0 { values[place] = weight }
            if span.upperBound < length { values[values.count - 1 - place] = weight }
        }
        return values
    }
}

extension Range<Int> {
    fileprivate func scaled(by factor: Int) -> Range<Int> {
        lowerBound * factor..<upperBound * factor
    }
}
