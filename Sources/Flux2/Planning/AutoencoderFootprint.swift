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
    /// and what comes out. One of single pixels asks for room for its input in 32 bits besides, and
    /// uses half of that (measured at 1024x1024).
    func convolved(_ x: Map, to channels: Int, size: Int = 3, stride: Int = 1) -> Piece {
        let count = channels * x.places / (stride * stride)
        let scratch =
            size == 1 && layers.bytes < 4 ? heap.take(4 * x.count, used: 2 * x.count) : nil
        let input = layers.tensor(x.count)
        let weight = layers.tensor(x.channels * channels * size * size)
        let output = layers.tensor(count)
        heap.give(weight, input)
        scratch.map { heap.give($0) }
        return layers.combined(count, output)
    }

    /// Group normalisation and SiLU.
    func activated(_ x: Map) -> Piece { layers.combined(x.count, layers.tensor(x.count)) }

    /// A residual unit; frees its input.
    func unit(_ input: Piece, _ x: Map, to channels: Int) -> Piece {
        let y = x.with(channels)
        let first = activated(x)
        let middle = convolved(x, to: channels)
        heap.give(first)
        let normed = layers.tensor(y.count)
        heap.give(middle)
        let second = layers.combined(y.count, normed)
        let hidden = convolved(y, to: channels)
        heap.give(second)
        let shortcut = x.channels == channels ? [] : [convolved(x, to: channels, size: 1)]
        let sum = layers.tensor(y.count)
        heap.give([input, hidden] + shortcut)
        return sum
    }

    /// The innermost part: a unit, attention with one head, a unit.
    func middle(_ input: Piece, _ x: Map) -> Piece {
        unit(attended(unit(input, x, to: x.channels), x), x, to: x.channels)
    }

    private func attended(_ input: Piece, _ x: Map) -> Piece {
        let normed = layers.tensor(x.count)
        let parts = (0..<3).map { _ in layers.combined(x.count, layers.tensor(x.count)) }
        let heads = layers.attention(x.count, headSize: x.channels)
        heap.give(parts)
        heap.give(normed)
        let out = layers.combined(x.count, heads)
        return layers.combined(x.count, out, input)
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
                hidden = unit(hidden, map, to: channels)
                map.channels = channels
            }
            if level < widths.count - 1 { (hidden, map) = upsampled(hidden, map) }
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
        let last = activated(map)
        let result = convolved(map, to: channels)
        heap.give(last, hidden)
        return result
    }

    private func upsampled(_ hidden: Piece, _ map: Map) -> (Piece, Map) {
        let large = Map(channels: map.channels, height: 2 * map.height, width: 2 * map.width)
        let repeated = layers.tensor(large.count)
        let result = convolved(large, to: map.channels)
        heap.give(hidden, repeated)
        return (result, large)
    }

    private func downsampled(_ hidden: Piece, _ map: Map) -> (Piece, Map) {
        let padded = layers.tensor(map.count)
        let result = convolved(map, to: map.channels, stride: 2)
        heap.give(hidden, padded)
        return (
            result, Map(channels: map.channels, height: map.height / 2, width: map.width / 2)
        )
    }
}
