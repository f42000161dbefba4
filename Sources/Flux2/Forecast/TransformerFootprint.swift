internal import FluxModels

/// What one evaluation of the transformer takes, following `FluxTransformer` line by line.
///
/// Numbers are counted as tokens times channels.
struct TransformerFootprint {
    let layers: Footprint
    let configuration: TransformerConfiguration
    let textTokens: Int
    /// Tokens of the latents and of references.
    let pictureTokens: Int
    /// Tokens of keys and values from outside, for each block that has some.
    var cachedTokens = 0

    private typealias Piece = PieceHeap.Piece
    private var heap: PieceHeap { layers.heap }
    private var width: Int { configuration.width }
    private var hidden: Int { configuration.feedForwardWidth }
    private var all: Int { (textTokens + pictureTokens) * width }

    /// - Parameter latentTokens: those whose velocity is kept.
    /// - Returns: the velocity.
    func evaluate(latentTokens: Int) -> PieceHeap.Piece {
        let joins = pictureTokens > latentTokens
        let tokens =
            joins ? layers.tensor(pictureTokens * configuration.latentChannels) : nil
        var picture = layers.linear(
            pictureTokens * width)
        var text = layers.linear(textTokens * width)
        for _ in 0..<configuration.doubleBlockCount {
            (picture, text) = doubleBlock(picture, text)
        }
        var sequence = layers.tensor(all)
        tokens.map { heap.give($0) }
        heap.give(text, picture)
        for _ in 0..<configuration.singleBlockCount { sequence = singleBlock(sequence) }
        let normed = modulated(pictureTokens * width)
        let velocity = layers.linear(
            pictureTokens * configuration.latentChannels)
        heap.give(normed, sequence)
        return velocity
    }

    /// What a side of guidance holds between two parts of a block: the sequence, and what attention
    /// and the gate of the feed-forward gave.
    func waiting() -> PieceHeap.Piece {
        layers.tensor(2 * all + (textTokens + pictureTokens) * hidden)
    }

    private func modulated(_ count: Int) -> Piece {
        let scaled = layers.combined(count, layers.tensor(count))
        return layers.combined(count, scaled)
    }

    /// Queries and keys, normalised, and values.
    private func projected(_ tokens: Int) -> [Piece] {
        let count = tokens * width
        let input = modulated(count)
        let (q, k, v) = (
            layers.linear(count),
            layers.linear(count),
            layers.linear(count)
        )
        let normed = (0..<2).map { _ in layers.rmsNorm(count, weighted: true) }
        heap.give(input, q, k)
        return normed + [v]
    }

    /// `jointAttention`; what it is given stays with the caller.
    private func attended(joins: Bool) -> Piece {
        let rotated = (0..<2).map { _ in
            let joined = joins ? layers.tensor(all) : nil
            let result = layers.rotated(all)
            joined.map { heap.give($0) }
            return withCache(result)
        }
        let values = joins || cachedTokens > 0 ? [layers.tensor(all + cached)] : []
        let contiguous = [
            layers.tensor(all), layers.tensor(all + cached), layers.tensor(all + cached),
        ]
        let heads = layers.attention(
            all, headSize: configuration.headSize, queries: textTokens + pictureTokens,
            keys: textTokens + pictureTokens + cachedTokens)
        heap.give(contiguous)
        let result = layers.tensor(all)
        heap.give(rotated + values)
        heap.give(heads)
        return result
    }

    private var cached: Int { cachedTokens * width }

    private func withCache(_ keys: Piece) -> Piece {
        guard cachedTokens > 0 else { return keys }
        return layers.combined(all + cached, keys)
    }

    private func doubleBlock(_ picture: Piece, _ text: Piece) -> (picture: Piece, text: Piece) {
        let parts = projected(textTokens) + projected(pictureTokens)
        let attended = attended(joins: true)
        heap.give(parts)
        let picked = (joined(pictureTokens), joined(textTokens))
        heap.give(attended)
        let results = (finished(pictureTokens), finished(textTokens))
        heap.give(picked.1, picked.0)
        heap.give(picture, text)
        return (picture: results.0, text: results.1)
    }

    /// What attention brings to one stream.
    private func joined(_ tokens: Int) -> Piece {
        let count = tokens * width
        let out = layers.linear(count)
        return layers.combined(count, layers.combined(count, out))
    }

    /// What the feed-forward brings to one stream.
    private func finished(_ tokens: Int) -> Piece {
        let count = tokens * width
        let input = modulated(count)
        let fused = layers.linear(2 * tokens * hidden)
        let gated = layers.gated(tokens * hidden, fused)
        let down = layers.linear(count)
        heap.give(gated, input)
        return layers.combined(count, layers.combined(count, down))
    }

    private func singleBlock(_ sequence: Piece) -> Piece {
        let tokens = textTokens + pictureTokens
        let input = modulated(all)
        let fused = layers.linear(
            tokens * (3 * width + 2 * hidden))
        heap.give(input)
        let normed = (0..<2).map { _ in layers.rmsNorm(all, weighted: true) }
        let attended = attended(joins: false)
        heap.give(normed)
        let gated = layers.gated(tokens * hidden, fused)
        let both = layers.tensor(all + tokens * hidden)
        heap.give(gated)
        let out = layers.linear(all)
        let result = layers.combined(all, layers.combined(all, out))
        heap.give(attended, both, sequence)
        return result
    }
}
