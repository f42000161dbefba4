internal import FluxModels

/// What encoding one text takes, following `TextEncoder` line by line.
struct TextEncoderFootprint {
    let layers: Footprint
    let configuration: TextEncoderConfiguration
    /// Tokens that are computed: all but most of the padding before the words.
    let tokens: Int

    private typealias Piece = PieceHeap.Piece
    private var heap: PieceHeap { layers.heap }
    private var width: Int { configuration.width }
    private var hidden: Int { configuration.feedForwardWidth }

    /// - Parameter length: tokens of the result, padding included.
    /// - Returns: the features.
    func encode(length: Int) -> PieceHeap.Piece {
        let taps = configuration.taps
        var states = [layers.combined(tokens * width, layers.tensor(tokens * width))]
        var current = states[0]
        for layer in 1...(taps.max() ?? 1) {
            let result = decoderLayer()
            if layer > 1, !taps.contains(layer - 1) { heap.give(current) }
            if taps.contains(layer) { states.append(result) }
            current = result
        }
        let count = configuration.featureWidth
        var features = layers.tensor(tokens * count)
        heap.give(states)
        if length > tokens { features = layers.combined(length * count, features) }
        finiteness(length * count)
        return features
    }

    /// `isFinite`: the absolute values and three tables of truth.
    private func finiteness(_ count: Int) {
        let absolute = layers.tensor(count)
        let tables = (0..<3).map { _ in heap.take(count) }
        heap.give(tables[0], tables[1], absolute, tables[2])
    }

    private func decoderLayer() -> Piece {
        let count = tokens * width
        let input = layers.roundedNorm(count)
        let out = attended()
        heap.give(input)
        let added = layers.combined(count, out)
        let normed = layers.roundedNorm(count)
        let gate = layers.combined(
            tokens * hidden, layers.linear(tokens * hidden))
        let up = layers.linear(tokens * hidden)
        let product = layers.combined(tokens * hidden, up, gate)
        let down = layers.linear(count)
        heap.give(product)
        return layers.combined(count, added, normed, down)
    }

    private func attended() -> Piece {
        let size = configuration.headSize
        let queries = tokens * configuration.headCount * size
        let keys = tokens * configuration.keyValueHeadCount * size
        let q = heads(queries)
        let k = heads(keys)
        let v = layers.linear(keys)
        let heads = layers.attention(
            queries, headSize: size, queries: tokens, keys: tokens)
        heap.give(q, k, v)
        let out = layers.linear(tokens * width)
        heap.give(heads)
        return out
    }

    /// A projection, normalised by head where the family does so, and turned.
    private func heads(_ count: Int) -> Piece {
        var x = layers.linear(count)
        if configuration.family == .qwen3 {
            let normed = layers.roundedNorm(count)
            heap.give(x)
            x = normed
        }
        let turned = layers.combined(count, layers.tensor(count / 2))
        let (cosines, sines) = (layers.tensor(count), layers.tensor(count))
        return layers.combined(count, turned, cosines, sines, x)
    }
}
