internal import FluxModels
internal import Torch

extension AutoencoderFootprint {
    /// A passage through the autoencoder in the way that is chosen.
    ///
    /// - Parameters:
    ///   - height, width: of the picture in pixels.
    ///   - decodes: latents to pixels; else pixels to moments.
    /// - Returns: the pixels or moments.
    func passage(_ way: Tiling.Passage, height: Int, width: Int, decodes: Bool) -> Piece {
        switch way {
        case .whole: return whole(height, width, decodes)
        case .strips(let strips):
            let footprint = StripsFootprint(autoencoder: self, strips: strips)
            var result: Piece?
            // As `Strips` has it.
            heap.givingBack(from: HostMemory.scarcePiece) {
                result =
                    decodes
                    ? footprint.decode(height: height, width: width)
                    : footprint.encode(height: height, width: width)
            }
            return result ?? layers.tensor(0)
        case .feathered(let tiles):
            let side = tiles.size * configuration.spatialFactor
            return tiled(side, height, width, decodes, sumBytes: 4)
        case .overlapping(let tiles):
            let side = decodes ? tiles.latentTile * configuration.spatialFactor : tiles.pictureTile
            return tiled(side, height, width, decodes, sumBytes: layers.bytes)
        }
    }

    private func whole(_ height: Int, _ width: Int, _ decodes: Bool) -> Piece {
        decodes ? decode(height: height, width: width) : encode(height: height, width: width)
    }

    /// Numbers of the result for so many pixels.
    private func outputs(_ pixels: Int, _ decodes: Bool) -> Int {
        let factor = configuration.spatialFactor
        return decodes ? 3 * pixels : 2 * configuration.latentChannels * pixels / (factor * factor)
    }

    /// Tiles of one size after each other, of which two show what all do, beside a sum and weights.
    private func tiled(
        _ side: Int, _ height: Int, _ width: Int, _ decodes: Bool, sumBytes: Int
    ) -> Piece {
        let (down, across) = (min(side, height), min(side, width))
        guard (down, across) != (height, width) else { return whole(height, width, decodes) }
        let sum = heap.take(sumBytes * outputs(height * width, decodes))
        let weights = heap.take(sumBytes * height * width)
        for _ in 0..<2 {
            let tile = whole(down, across, decodes)
            heap.give(layers.exact(outputs(down * across, decodes)), tile)
        }
        let result = layers.tensor(outputs(height * width, decodes))
        heap.give(weights, sum)
        return result
    }
}
