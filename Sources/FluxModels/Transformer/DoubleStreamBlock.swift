internal import Torch

/// A block in which image and text have weights of their own and meet in attention.
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

            static let image = Names(
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

        func qkv(_ x: Tensor, _ modulation: Modulation) throws -> QKV {
            let x = try modulation(x, epsilon: epsilon)
            return try norms(q: q(x), k: k(x), v: v(x))
        }

        /// Adds the output of attention: `x + gate · out(attended)`.
        func addAttention(_ x: Tensor, _ attended: Tensor, _ modulation: Modulation) throws
            -> Tensor
        {
            // To libtorch, a part of the joint tokens is a batch of one, for which it would copy
            // the weight; rows are not.
            let rows = try attended.reshaped([-1, attended.size(2)])
            return try adding(out(rows).reshaped(x.shape), gatedBy: modulation.gate, to: x)
        }

        /// Adds the output of the feed-forward: `x + gate · ff(modulate(x))`.
        func addFeedForward(_ x: Tensor, _ modulation: Modulation) throws -> Tensor {
            let change = try feedForward(modulation(x, epsilon: epsilon))
            return try adding(change, gatedBy: modulation.gate, to: x)
        }
    }

    private let image: Stream
    private let text: Stream

    init(_ scope: Scope, _ configuration: TransformerConfiguration) {
        image = Stream(scope, .image, configuration)
        text = Stream(scope, .text, configuration)
    }

    /// - Shapes: `image` [B, Ti, D], `text` [B, Tt, D] → the same.
    func callAsFunction(
        image x: Tensor, text y: Tensor, modulations: DoubleModulations,
        rotary: RotaryTable, cache: KeyValue?
    ) throws -> (image: Tensor, text: Tensor) {
        // Weights of attention are done with before those of a feed-forward come.
        let streams = try attention(x, y, modulations, rotary, cache)
        return try (
            imageFeedForward(streams.image, modulations.image),
            textFeedForward(streams.text, modulations.text)
        )
    }

    /// The feed-forward of the image stream, added to it.
    func imageFeedForward(_ x: Tensor, _ modulations: [Modulation]) throws -> Tensor {
        try image.addFeedForward(x, modulations[1])
    }

    /// The feed-forward of the text stream, added to it.
    func textFeedForward(_ x: Tensor, _ modulations: [Modulation]) throws -> Tensor {
        try bounded(text.addFeedForward(x, modulations[1]))
    }

    /// Queries, keys and values of the image.
    func imageQKV(_ x: Tensor, _ modulations: [Modulation]) throws -> QKV {
        try image.qkv(x, modulations[0])
    }

    /// Joint attention of both streams, added to each.
    ///
    /// - Parameter qkv: ``imageQKV(_:_:)`` where that has been computed; nil computes it.
    func attention(
        _ x: Tensor, _ y: Tensor, _ modulations: DoubleModulations,
        _ rotary: RotaryTable, _ cache: KeyValue?, qkv: QKV? = nil
    ) throws -> (image: Tensor, text: Tensor) {
        let attended = try jointAttention(
            [
                text.qkv(y, modulations.text[0]),
                qkv ?? imageQKV(x, modulations.image),
            ], rotary: rotary, cache: cache)
        let parts = try attended.split([y.size(1), x.size(1)], along: 1)
        return try (
            image: image.addAttention(x, parts[1], modulations.image[0]),
            text: text.addAttention(y, parts[0], modulations.text[0])
        )
    }
}
