internal import Torch

/// Gated feed-forward: `down(silu(gate) · up)`, gate and up from one projection, gate first.
///
/// - Shapes: `x` [B, T, D] → the same.
struct FeedForward {
    private let fused: Linear
    private let down: Linear

    init(_ scope: Scope, _ configuration: TransformerConfiguration) {
        let (width, hidden) = (configuration.width, configuration.feedForwardWidth)
        fused = Linear(scope["linear_in"], from: width, to: 2 * hidden)
        down = Linear(scope["linear_out"], from: hidden, to: width)
    }

    func callAsFunction(_ x: Tensor) throws -> Tensor { try down(gated(fused(x))) }
}

/// `silu(first half) · second half` along the last axis.
func gated(_ x: Tensor) throws -> Tensor {
    let (gate, up) = try x.halves(along: -1)
    return try Torch.gated(gate, up)
}

/// Keeps a stream finite in float16, whose largest number is 65504.
func bounded(_ x: Tensor) throws -> Tensor {
    x.dtype == .float16 ? try x.clamped(to: -65504...65504) : x
}
