internal import FluxModels

/// What strips take, following `PictureDecoder` and `PictureEncoder` by strips.
struct StripsFootprint {
    let autoencoder: AutoencoderFootprint
    let strips: Strips

    private typealias Piece = PieceHeap.Piece
    private typealias Map = AutoencoderFootprint.Map
    private var heap: PieceHeap { autoencoder.heap }
    private var configuration: AutoencoderConfiguration { autoencoder.configuration }

    /// - Returns: the pixels.
    func decode(height: Int, width: Int) -> PieceHeap.Piece {
        let factor = configuration.spatialFactor
        let widths = Array(configuration.decoderWidths.reversed())
        let latents = Map(
            channels: configuration.latentChannels, height: height / factor, width: width / factor)
        let inner = latents.with(widths[0])
        var held: Piece? = autoencoder.middle(
            autoencoder.convolved(latents, to: widths[0]), inner)
        var hidden = RowFootprint(inner, autoencoder, strips)
        for (level, channels) in widths.enumerated() {
            for _ in 0...configuration.unitsPerLevel {
                (hidden, held) = unit(hidden, held, to: channels, isWhole: level == 0)
            }
            guard level < widths.count - 1 else { break }
            let large = hidden.enlarged()
            // A map too large to be held keeps what it is made from.
            if large.isHeld {
                (hidden, held) = stored(large, freeing: held)
            } else {
                hidden = large
            }
        }
        return finished(hidden, held, to: 3)
    }

    /// - Returns: the moments.
    func encode(height: Int, width: Int) -> PieceHeap.Piece {
        let widths = configuration.encoderWidths
        let pixels = RowFootprint(
            Map(channels: 3, height: height, width: width), autoencoder, strips)
        var (hidden, held) = stored(pixels.convolved(to: widths[0]), freeing: nil)
        for (level, channels) in widths.enumerated() {
            for _ in 0..<configuration.unitsPerLevel {
                (hidden, held) = unit(hidden, held, to: channels, isWhole: false)
            }
            guard level < widths.count - 1 else { break }
            (hidden, held) = stored(hidden.downsampled(), freeing: held)
        }
        if let former = held { held = autoencoder.middle(former, hidden.map) }
        return finished(hidden, held, to: 2 * configuration.latentChannels)
    }

    private func stored(
        _ rows: RowFootprint, freeing held: Piece?
    ) -> (RowFootprint, Piece?) {
        let piece = rows.stored()
        held.map { heap.give($0) }
        return (RowFootprint(rows.map, autoencoder, strips), piece)
    }

    private func finished(_ hidden: RowFootprint, _ held: Piece?, to channels: Int) -> Piece {
        let result = hidden.activated().convolved(to: channels).stored()
        guard autoencoder.usesKernels else {
            held.map { heap.give($0) }
            return result
        }
        // It is laid out by channels.
        let turned = autoencoder.layers.tensor(channels * hidden.map.places)
        heap.give(result)
        held.map { heap.give($0) }
        return turned
    }

    /// A unit over what is held; its result takes that place.
    private func unit(
        _ x: RowFootprint, _ held: Piece?, to channels: Int, isWhole: Bool
    ) -> (RowFootprint, Piece?) {
        let map = x.map.with(channels)
        let result = RowFootprint(map, autoencoder, strips)
        if isWhole || x.isWhole {
            // The whole is copied first: what a strip shows may be computed.
            let copy = x.stored()
            let sum = autoencoder.unit(copy, x.map, to: channels)
            held.map { heap.give($0) }
            return (result, sum)
        }
        let hidden = x.activated().convolved(to: channels).stored()
        let kept = x.map.channels == channels ? x : x.convolved(to: channels, size: 1)
        RowFootprint(map, autoencoder, strips).activated().convolved(to: channels, adding: kept)
            .overwrite()
        held.map { heap.give($0) }
        return (result, hidden)
    }
}
