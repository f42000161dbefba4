internal import Torch

/// A block over one sequence, attention and feed-forward side by side.
///
/// - Source: `Flux2SingleTransformerBlock`, diffusers.
struct SingleStreamBlock {
    private let fused: Linear
    private let out: Linear
    private let norms: HeadNorms
    private let configuration: TransformerConfiguration

    init(_ scope: Scope, _ configuration: TransformerConfiguration) {
        let (width, hidden) = (configuration.width, configuration.feedForwardWidth)
        let attention = scope["attn"]
        fused = Linear(attention["to_qkv_mlp_proj"], from: width, to: 3 * width + 2 * hidden)
        out = Linear(attention["to_out"], from: width + hidden, to: width)
        norms = HeadNorms(attention, configuration)
        self.configuration = configuration
    }

    /// - Shapes: `x` [B, T, D] → the same.
    func callAsFunction(
        _ x: Tensor, modulation: Modulation, rotary: RotaryTable, cache: KeyValue?
    ) throws -> Tensor {
        try addOutput(x, attentionAndMLP(x, modulation, rotary, cache), modulation)
    }

    /// Attention and the gated MLP, concatenated for the fused output projection.
    ///
    /// - Shapes: → [B, T, D + hidden].
    func attentionAndMLP(
        _ x: Tensor, _ modulation: Modulation, _ rotary: RotaryTable, _ cache: KeyValue?
    ) throws -> Tensor {
        let (width, hidden) = (configuration.width, configuration.feedForwardWidth)
        let parts = try fused(modulation(x, epsilon: configuration.epsilon))
            .split([width, width, width, 2 * hidden], along: -1)
        let attended = try jointAttention(
            [norms(q: parts[0], k: parts[1], v: parts[2])], rotary: rotary, cache: cache)
        return try Tensor.concatenating([attended, gated(parts[3])], along: -1)
    }

    /// Adds the fused output projection.
    func addOutput(_ x: Tensor, _ both: Tensor, _ modulation: Modulation) throws -> Tensor {
        try bounded(adding(out(both), gatedBy: modulation.gate, to: x))
    }
}
