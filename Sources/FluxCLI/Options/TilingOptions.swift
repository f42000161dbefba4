import ArgumentParser
import Domains
import Flux2
import FluxModels

/// In how many pieces images pass the autoencoder.
struct TilingOptions: ParsableArguments {
    @Flag(help: "Tiled VAE with feathered tiles: less memory, slightly other colors.")
    var tiled = false

    @Option(help: "Side of a tile, in latents of 8 pixels. Default: 128.")
    var tileSize: Int?

    @Option(help: "Stride from tile to tile, in latents of 8 pixels. Default: 64.")
    var tileStride: Int?

    @Option(
        help: """
            Tiling of the VAE. strips decodes exactly in little memory; feathered is --tiled; \
            overlapping is as in diffusers. Default: auto.
            """)
    var tiling: Scheme?

    enum Scheme: String, ExpressibleByArgument, CaseIterable {
        case auto, off, strips, feathered, overlapping
    }

    private var scheme: Scheme { tiling ?? (tiled ? .feathered : .auto) }

    func validate() throws {
        if tiled, let tiling, tiling != .feathered, tiling != .overlapping {
            throw ValidationError("--tiled contradicts --tiling \(tiling)")
        }
        guard stride <= size else {
            throw ValidationError(
                "--tile-stride must be an integer from 1 to the size of a tile, \(size), not "
                    + "\(stride)")
        }
    }

    /// Whether sizes are given for tiles that are not made.
    var hasIdleSizes: Bool {
        (tileSize != nil || tileStride != nil) && scheme != .feathered && scheme != .overlapping
    }

    /// Whether anything is said of tiles.
    var isGiven: Bool { tiled || tiling != nil || tileSize != nil || tileStride != nil }

    /// The way that is asked for.
    func resolved() -> Tiling {
        switch scheme {
        case .auto: .automatic
        case .off: .off
        case .strips: .strips
        case .feathered:
            .feathered(FeatheredTiles(size: size, stride: stride))
        case .overlapping: .overlapping(overlapping)
        }
    }

    private var overlapping: OverlappingTiles {
        let stride = tileStride ?? size * 3 / 4
        return OverlappingTiles(
            imageTile: 8 * size, latentTile: size, overlap: 1 - Double(stride) / Double(size))
    }

    private var size: Int { tileSize ?? 128 }
    private var stride: Int { tileStride ?? min(64, size) }

    /// What `settings` store: nil for what leaves images as they are.
    static func text(_ tiling: Tiling) -> String? {
        switch tiling {
        case .automatic, .off, .strips: nil
        case .feathered(let tiles): "feathered \(tiles.size) \(tiles.stride)"
        case .overlapping(let tiles): "overlapping \(tiles.latentTile) \(tiles.overlap)"
        }
    }

    /// Undoes `text(_:)`; nil for what no image is made with.
    static func tiling(_ text: String?) -> Tiling? {
        guard let text else { return .automatic }
        let words = text.split(separator: " ").map(String.init)
        guard words.count == 3, let size = Int(words[1]), let second = Double(words[2]),
            NumericSetting.tileSize.domain.contains(size)
        else { return nil }
        var tiling: Tiling?
        if words[0] == "feathered", let stride = Int(exactly: second) {
            tiling = .feathered(FeatheredTiles(size: size, stride: stride))
        } else if words[0] == "overlapping" {
            tiling = .overlapping(
                OverlappingTiles(imageTile: 8 * size, latentTile: size, overlap: second))
        }
        guard let tiling, (try? tiling.check()) != nil else { return nil }
        return tiling
    }
}
