internal import Domains
public import FluxModels

/// Whether and how images pass the autoencoder in pieces.
public enum Tiling: Hashable, Sendable {
    /// Whole where memory allows, else strip by strip with the same result.
    case automatic
    /// Whole.
    case off
    /// Strip by strip: the result of the whole in a fraction of the memory.
    case strips
    /// Tiles that fade into each other; each is normalized by itself, so colors may differ a little.
    case feathered(FeatheredTiles)
    /// Tiles as diffusers blends them.
    case overlapping(OverlappingTiles)
}

extension Tiling {
    /// - Throws: `RequestError` for tiles that no image can be made of.
    public func check() throws {
        switch self {
        case .automatic, .off, .strips: break
        case .feathered(let tiles):
            try NumericSetting.tileSize.require(tiles.size)
            try Self.require(tiles.stride, of: tiles.size)
        case .overlapping(let tiles):
            try NumericSetting.tileSize.require(tiles.latentTile)
            guard (0..<1).contains(tiles.overlap) else {
                throw RequestError(
                    setting: "overlap", expected: "a number from 0 to below 1",
                    found: "\(tiles.overlap)")
            }
            for side in [tiles.latentTile, tiles.imageTile] {
                try NumberDomain.integers(1...(1 << 20)).require(side, "pictureTile")
                try Self.require(Int(Double(side) * (1 - tiles.overlap)), of: side)
            }
        }
    }

    private static func require(_ stride: Int, of size: Int) throws {
        guard (1...size).contains(stride) else {
            throw RequestError(
                setting: "tileStride", expected: "an integer from 1 to tileSize, \(size)",
                found: "\(stride)")
        }
    }
}
