internal import Foundation
internal import Torch

/// Noise level and guidance as one vector that modulates every block.
///
/// - Source: `Flux2TimestepGuidanceEmbeddings`, diffusers.
struct TimestepEmbedding {
    /// `W2 · silu(W1 · sinusoid)`.
    private struct Branch {
        let first: Linear
        let second: Linear

        init(_ scope: Scope, from channels: Int, to width: Int) {
            first = Linear(scope["linear_1"], from: channels, to: width)
            second = Linear(scope["linear_2"], from: width, to: width)
        }

        func callAsFunction(_ x: Tensor) throws -> Tensor { try second(silu(first(x))) }
    }

    private let timestep: Branch
    private let guidance: Branch?
    private let channels: Int

    init(_ scope: Scope, _ configuration: TransformerConfiguration) {
        channels = configuration.timestepChannels
        timestep = Branch(scope["timestep_embedder"], from: channels, to: configuration.width)
        guidance =
            configuration.embedsGuidance
            ? Branch(scope["guidance_embedder"], from: channels, to: configuration.width) : nil
    }

    /// - Parameters:
    ///   - sigma: noise levels in the type that the model computes in; the factor 1000 is applied
    ///     in that type too, so that bfloat16 rounds as in the reference.
    ///   - strength: the embedded guidance, ignored by models without it.
    /// - Shapes: `sigma` [B] → [B, D].
    func callAsFunction(_ sigma: Tensor, guidance strength: Double) throws -> Tensor {
        let embedded = try timestep(sinusoid(sigma * 1000))
        guard let guidance else { return embedded }
        let level = try Tensor.full([1], strength).to(dtype: sigma.dtype, device: sigma.device)
        return try embedded + guidance(sinusoid(level * 1000))
    }

    /// Cosines, then sines, of the value at falling frequencies.
    ///
    /// - Shapes: `value` [B] → [B, channels], in the type of `value`.
    private func sinusoid(_ value: Tensor) throws -> Tensor {
        let half = channels / 2
        let exponents = try -log(10_000) * Tensor.arange(to: Double(half)) / Double(half)
        let frequencies = try exponents.exp().to(device: value.device)
        let angles = try value.to(dtype: .float32).unsqueezed(1) * frequencies
        return try Tensor.concatenating([angles.cos(), angles.sin()], along: -1)
            .to(dtype: value.dtype)
    }
}
