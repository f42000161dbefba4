internal import Torch

/// A block in which picture and text have weights of their own and meet in attention.
///
/// - Source: `Flux2TransformerBlock`, diffusers.
struct DoubleStreamBlock {
    /// The half of the block that one stream passes through.
    private struct Stream {
        let q, k, v, out: Linear
        let norms: HeadNorms
        let feedForward: FeedForward
        let epsilon: Double

        /// The names of a stream's parts, which follow no rule in the published layout.
        struct Names {
            let q, k, v, out, normQ, normK, feedForward: String

            static let picture = Names(
                q: "to_q", k: "to_k", v: "to_v", out: "to_out.0", normQ: "norm_q",
                normK: "norm_k", feedForward: "ff")
            static let text = Names(
                q: "add_q_proj", k: "add_k_proj", v: "add_v_proj", out: "to_add_out",
                normQ: "norm_added_q", normK: "norm_added_k", feedForward: "ff_context")
        }

        init(_ scope: Scope, _ names: Names, _ configuration: TransformerConfiguration) {
            let attention = scope["attn"]
            let width = configuration.width
            q = Linear(attention[names.q], from: width, to: width)
            k = Linear(attention[names.k], from: width, to: width)
            v = Linear(attention[names.v], from: width, to: width)
            out = Linear(attention[names.out], from: width, to: width)
            norms = HeadNorms(attention, q: names.normQ, k: names.normK, configuration)
            feedForward = FeedForward(scope[names.feedForward], configuration)
            epsilon = configuration.epsilon
        }

        func projected(_ x: Tensor, _ modulation: Modulation) throws -> Projected {
            let x = try modulation(x, epsilon: epsilon)
            return try norms(q: q(x), k: k(x), v: v(x))
        }

        /// Adds what attention brought.
        func joined(_ x: Tensor, _ attended: Tensor, _ modulation: Modulation) throws -> Tensor {
            // To libtorch, a part of the joint tokens is a batch of one, for which it would copy
            // the weight; rows are not.
            let rows = try attended.reshaped([-1, attended.size(2)])
            return try adding(out(rows).reshaped(x.shape), gatedBy: modulation.gate, to: x)
        }

        /// Adds the feed-forward's part.
        func finished(_ x: Tensor, _ modulation: Modulation) throws -> Tensor {
            let change = try feedForward(modulation(x, epsilon: epsilon))
            return try adding(change, gatedBy: modulation.gate, to: x)
        }
    }

    private let picture: Stream
    private let text: Stream

    init(_ scope: Scope, _ configuration: TransformerConfiguration) {
        picture = Stream(scope, .picture, configuration)
        text = Stream(scope, .text, configuration)
    }

    /// - Shapes: `picture` [B, Ti, D], `text` [B, Tt, D] → the same.
    func callAsFunction(
        picture x: Tensor, text y: Tensor, modulations: DoubleModulations,
        rotary: RotaryTable, cache: KeyValue?
    ) throws -> (picture: Tensor, text: Tensor) {
        // Weights of attention are done with before those of a feed-forward come.
        let joined = try joined(x, y, modulations, rotary, cache)
        return try (
            finishedPicture(joined.picture, modulations.picture),
            finishedText(joined.text, modulations.text)
        )
    }

    /// Adds what the feed-forward of the picture's stream brings.
    func finishedPicture(_ x: Tensor, _ modulations: [Modulation]) throws -> Tensor {
        try picture.finished(x, modulations[1])
    }

    /// Adds what the feed-forward of the text's stream brings.
    func finishedText(_ x: Tensor, _ modulations: [Modulation]) throws -> Tensor {
        try bounded(text.finished(x, modulations[1]))
    }

    /// Queries, keys and values of the picture.
    func projectedPicture(_ x: Tensor, _ modulations: [Modulation]) throws -> Projected {
        try picture.projected(x, modulations[0])
    }

    /// Adds what attention of all to all brings.
    ///
    /// - Parameter projected: ``projectedPicture(_:_:)`` where that has been computed; nil computes it.
    func joined(
        _ x: Tensor, _ y: Tensor, _ modulations: DoubleModulations,
        _ rotary: RotaryTable, _ cache: KeyValue?, projected: Projected? = nil
    ) throws -> (picture: Tensor, text: Tensor) {
        let attended = try jointAttention(
            [
                text.projected(y, modulations.text[0]),
                projected ?? projectedPicture(x, modulations.picture),
            ], rotary: rotary, cache: cache)
        let parts = try attended.split([y.size(1), x.size(1)], along: 1)
        return try (
            picture: picture.joined(x, parts[1], modulations.picture[0]),
            text: text.joined(y, parts[0], modulations.text[0])
        )
    }
}
