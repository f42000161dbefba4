public import FluxModels

/// Whether and how pictures pass the autoencoder in pieces.
public enum Tiling: Hashable, Sendable {
    /// Whole where memory allows, else strip by strip with the same result.
    case automatic
    /// Whole.
    case off
    /// Strip by strip: the result of the whole in a fraction of the memory.
    case strips
    /// Tiles that fade into each other; each is normalised by itself, so colours may differ a little.
    case feathered(FeatheredTiles)
    /// Tiles as diffusers blends them.
    case overlapping(OverlappingTiles)
}
