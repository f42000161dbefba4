internal import FluxModels
package import Imaging
package import Torch

/// Reference images as the transformer reads them: tokens, each image on a grid of its own.
package struct References {
    /// Clean tokens of all images, [1, T, C].
    package var tokens: Tensor
    /// Where the tokens are, [T, 4].
    package var positions: Tensor

    /// - Parameter encode: an image to latents [1, C, h, w].
    package init?(_ images: [Image], encode: (Image) throws -> Tensor) throws {
        try self.init(images.map(encode))
    }

    /// - Shapes: `grids` [1, C, h, w] each.
    init?(_ grids: [Tensor]) throws {
        guard !grids.isEmpty else { return nil }
        tokens = try .concatenating(grids.map(LatentTokens.pack), along: 1)
        positions = try .concatenating(
            grids.enumerated().map { index, grid in
                try Positions.grid(
                    rows: grid.size(2), columns: grid.size(3),
                    time: Positions.time(ofReference: index))
            }, along: 0)
    }
}

extension Parity {
    /// The image in the size in which it is encoded.
    ///
    /// - Parameters:
    ///   - count: how many references there are; Black Forest Labs give one alone more room.
    ///   - area: the most pixels for a model that draws less than a megapixel.
    package func fitted(_ image: Image, among count: Int, area: Int = 1024 * 1024) -> Image {
        let isSmall = area < 1024 * 1024
        switch self {
        case .diffsynth:
            let size = ReferenceSize.diffSynth(
                width: image.width, height: image.height, area: area)
            return image.resizedToCover(
                width: size.width, height: size.height, filter: .bilinear)
        case .diffusers: return image.shrunkAndCropped(area: area, multiple: 16)
        case .bfl:
            let side = count == 1 ? 2024 : 1024
            return image.shrunkAndCropped(area: isSmall ? area : side * side, multiple: 16)
        }
    }
}
