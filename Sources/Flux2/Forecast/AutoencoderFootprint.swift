internal import FluxModels

/// What the autoencoder's layers take, following `AutoencoderLayers` line by line.
struct AutoencoderFootprint {
    let layers: Footprint
    let configuration: AutoencoderConfiguration

    typealias Piece = PieceHeap.Piece
    var heap: PieceHeap { layers.heap }

    /// Channels and size of a map.
    struct Map {
        var channels: Int
        var height: Int
        var width: Int
        var places: Int { height * width }
        var count: Int { channels * places }

        func with(_ channels: Int) -> Map {
            Map(channels: channels, height: height, width: width)
        }
    }

    /// A convolution, which oneDNN does in an order of its own: it copies what goes in, the weight,
    /// and what comes out. One of single pixels asks for room for its result in 32 bits on each thread
    /// besides, and together the threads use as much as one of them.
    func convolved(_ x: Map, to channels: Int, size: Int = 3, places: Int? = nil) -> Piece {
        if usesKernels { return convolvedByKernels(x, to: channels, size: size) }
        let count = channels * (places ?? x.places)
        let scratch =
            size == 1 && layers.bytes < 4
            ? heap.take(
                layers.threads * 4 * (count + 512), used: 4 * count) : nil
        let input = layers.tensor(x.count)
        let weight = layers.tensor(x.channels * channels * size * size)
        // What comes out has whole groups of 16 channels.
        let output = layers.tensor(count / channels * ((channels + 15) / 16 * 16))
        heap.give(weight, input)
        scratch.map { heap.give($0) }
        return layers.combined(count, output)
    }

    /// Group normalisation and SiLU.
    ///
    /// - Parameter turned: whether channels are innermost, as attention leaves them; they are copied
    ///   in the other order.
    func activated(_ x: Map, turned: Bool = false) -> Piece {
        let copy = turned ? layers.tensor(x.count) : nil
        let normed = layers.tensor(x.count)
        copy.map { heap.give($0) }
        return layers.combined(x.count, normed)
    }

    /// A residual unit.
    ///
    /// - Parameter input: what is freed with it; nil where others hold it.
    func unit(
        _ input: Piece?, _ x: Map, to channels: Int, turned: Bool = false,
        savesProducts: Bool = true
    ) -> Piece {
        if usesKernels { return unitByKernels(input, x, to: channels, savesProducts) }
        let y = x.with(channels)
        let first = activated(x, turned: turned)
        let middle = convolved(x, to: channels)
        heap.give(first)
        let normed = layers.tensor(y.count)
        heap.give(middle)
        let second = layers.combined(y.count, normed)
        let hidden = convolved(y, to: channels)
        heap.give(second)
        let shortcut = x.channels == channels ? [] : [convolved(x, to: channels, size: 1)]
        let sum = layers.tensor(y.count)
        heap.give([input].compactMap(\.self) + shortcut + [hidden])
        return sum
    }

    /// The innermost part: a unit, attention with one head, a unit.
    func middle(_ input: Piece, _ x: Map) -> Piece {
        let looked = attended(unit(nil, x, to: x.channels, savesProducts: false), x)
        let result = unit(nil, x, to: x.channels, turned: true, savesProducts: false)
        heap.give(input, looked)
        return result
    }

    private func attended(_ input: Piece, _ x: Map) -> Piece {
        if usesKernels { return attendedByKernels(input, x) }
        let normed = layers.tensor(x.count)
        let parts = (0..<3).map { _ in
            let part = layers.tensor(x.count)
            // Places are brought together for the product, where they are of 16 bits.
            if layers.bytes < 4 { heap.give(layers.tensor(x.count)) }
            return part
        }
        let heads = layers.attention(
            x.count, headSize: x.channels, queries: x.places, keys: x.places)
        heap.give(parts)
        let out = layers.tensor(x.count)
        return layers.combined(x.count, normed, heads, out, input)
    }
}

extension AutoencoderFootprint {
    /// `PictureDecoder`, whole.
    ///
    /// - Parameters:
    ///   - height, width: of the picture in pixels.
    /// - Returns: the pixels.
    func decode(height: Int, width: Int) -> Piece {
        let factor = configuration.spatialFactor
        let widths = Array(configuration.decoderWidths.reversed())
        var map = Map(
            channels: configuration.latentChannels, height: height / factor, width: width / factor)
        var hidden = convolved(map, to: widths[0])
        map.channels = widths[0]
        hidden = middle(hidden, map)
        for (level, channels) in widths.enumerated() {
            for _ in 0...configuration.unitsPerLevel {
                hidden = unit(hidden, map, to: channels, turned: level == 0)
                map.channels = channels
            }
            if level < widths.count - 1 {
                (hidden, map) = upsampled(hidden, map, turned: level == 0)
            }
        }
        return finished(hidden, map, to: 3)
    }

    /// `PictureEncoder`, whole.
    ///
    /// - Returns: the moments.
    func encode(height: Int, width: Int) -> Piece {
        let widths = configuration.encoderWidths
        var map = Map(channels: 3, height: height, width: width)
        var hidden = convolved(map, to: widths[0])
        map.channels = widths[0]
        for (level, channels) in widths.enumerated() {
            for _ in 0..<configuration.unitsPerLevel {
                hidden = unit(hidden, map, to: channels)
                map.channels = channels
            }
            if level < widths.count - 1 { (hidden, map) = downsampled(hidden, map) }
        }
        hidden = middle(hidden, map)
        return finished(hidden, map, to: 2 * configuration.latentChannels)
    }

    private func finished(_ hidden: Piece, _ map: Map, to channels: Int) -> Piece {
        if usesKernels { return finishedByKernels(hidden, map, to: channels) }
        let last = activated(map)
        let result = convolved(map, to: channels)
        heap.give(hidden, last)
        return result
    }

    private func upsampled(
        _ hidden: Piece, _ map: Map, turned: Bool
    ) -> (Piece, Map) {
        let large = Map(channels: map.channels, height: 2 * map.height, width: 2 * map.width)
        if usesKernels {
            let result = enlargedByKernels(map)
            heap.give(hidden)
            return (result, large)
        }
        let repeated = layers.tensor(large.count)
        if turned { heap.give(layers.tensor(large.count)) }
        let result = convolved(large, to: map.channels)
        heap.give(hidden, repeated)
        return (result, large)
    }

    private func downsampled(_ hidden: Piece, _ map: Map) -> (Piece, Map) {
        let large = Map(channels: map.channels, height: map.height + 1, width: map.width + 1)
        let padded = layers.tensor(large.count)
        let result =
            usesKernels
            ? convolvedByKernels(from: map.channels, to: map.channels, places: map.places / 4)
            : convolved(large, to: map.channels, places: map.places / 4)
        heap.give(hidden, padded)
        return (
            result, Map(channels: map.channels, height: map.height / 2, width: map.width / 2)
        )
    }
}
