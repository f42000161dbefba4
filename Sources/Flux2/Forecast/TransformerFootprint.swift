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

    /// What a ``StepCache`` holds from one step to the next.
    struct Kept {
        /// What the first block changed in the last complete step; of the side that decides.
        fileprivate var first: PieceHeap.Piece?
        /// What the blocks behind it brought.
        fileprivate var rest: PieceHeap.Piece?
        fileprivate let decides: Bool

        init(decides: Bool) { self.decides = decides }

        var pieces: [PieceHeap.Piece] { [first, rest].compactMap(\.self) }
    }

    /// What a side's text begins with, in all evaluations.
    func embeddedText() -> PieceHeap.Piece { layers.linear(textTokens * width) }

    /// What the picture begins with, from latents and references.
    func embeddedPicture(latentTokens: Int) -> PieceHeap.Piece {
        let joins = pictureTokens > latentTokens
        let tokens =
            joins ? layers.tensor(pictureTokens * configuration.latentChannels) : nil
        let picture = layers.linear(pictureTokens * width)
        tokens.map { heap.give($0) }
        return picture
    }

    /// - Parameters:
    ///   - latentTokens: those whose velocity is kept.
    ///   - shared: what the picture begins with, if that stays with the caller.
    ///   - kept: what a step cache holds for this side.
    /// - Returns: the velocity.
    func evaluate(
        latentTokens: Int, shared: PieceHeap.Piece?, kept: inout Kept?
    ) -> PieceHeap.Piece {
        var streams = firstBlock(latentTokens, shared, &kept)
        var mark: Piece?
        for _ in 1..<max(1, configuration.doubleBlockCount) {
            let next = doubleBlock()
            leave(streams, kept, &mark)
            streams = next
        }
        var sequence = layers.tensor(all)
        leave(streams, kept, &mark)
        for _ in 0..<configuration.singleBlockCount { sequence = singleBlock(sequence) }
        if let former = kept {
            let rest = layers.tensor(latentTokens * width)
            former.rest.map { heap.give($0) }
            kept?.rest = rest
        }
        mark.map { heap.give($0) }
        let normed = modulated(pictureTokens * width)
        let velocity = layers.linear(
            pictureTokens * configuration.latentChannels)
        heap.give(normed, sequence)
        return velocity
    }

    /// The first block, whose text stays with the caller, and what a step cache looks at.
    private func firstBlock(
        _ latentTokens: Int, _ shared: Piece?, _ kept: inout Kept?
    ) -> (picture: Piece, text: Piece) {
        let start = shared ?? embeddedPicture(latentTokens: latentTokens)
        let streams = doubleBlock()
        compare(latentTokens, &kept)
        if shared == nil { heap.give(start) }
        return streams
    }

    /// Gives streams back but for what the first block gave of the picture, which a step cache holds until
    /// the last block is done.
    private func leave(
        _ streams: (picture: Piece, text: Piece), _ kept: Kept?, _ mark: inout Piece?
    ) {
        heap.give(streams.text)
        if kept != nil, mark == nil {
            mark = streams.picture
        } else {
            heap.give(streams.picture)
        }
    }

    /// What a side of guidance holds between two parts of a block: the sequence, and what attention
    /// and the gate of the feed-forward gave.
    ///
    /// - Parameter caching: whether a step cache has it hold what the first block gave, too.
    func waiting(caching: Bool) -> PieceHeap.Piece {
        let mark = caching ? pictureTokens * width : 0
        return layers.tensor(2 * all + (textTokens + pictureTokens) * hidden + mark)
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

    /// What the first block changed, and its difference from what it changed before.
    private func compare(_ latentTokens: Int, _ kept: inout Kept?) {
        guard let former = kept, former.decides else { return }
        let count = latentTokens * width
        let change = layers.tensor(count)
        let sizes = layers.combined(count, layers.tensor(count))
        heap.give(sizes)
        former.first.map { heap.give($0) }
        kept?.first = change
    }

    private func doubleBlock() -> (picture: Piece, text: Piece) {
        let parts = projected(textTokens) + projected(pictureTokens)
        let attended = attended(joins: true)
        heap.give(parts)
        let picked = (joined(pictureTokens), joined(textTokens))
        heap.give(attended)
        let results = (finished(pictureTokens), finished(textTokens))
        heap.give(picked.1, picked.0)
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
