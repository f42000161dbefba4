internal import Torch

/// Cosines and sines for rotating the two halves of a head against each other.
struct RotateHalfTable {
    /// - Shapes: [T, d] each.
    private let cosines: Tensor
    private let sines: Tensor

    /// - Parameter frequencyType: the type that the frequencies are rounded to before use. DiffSynth
    ///   rounds them to the model's; transformers keeps 32 bits.
    init(
        places: Range<Int>, size: Int, theta: Double, frequencyType: DType, like sample: Tensor
    ) throws {
        let exponents = try Tensor.arange(to: Double(size), by: 2) / Double(size)
        let frequencies = try Tensor.power(theta, exponents).power(-1)
            .to(dtype: frequencyType).to(dtype: .float32)
        let angles =
            try Tensor.arange(Double(places.lowerBound), to: Double(places.upperBound))
            .unsqueezed(1) * frequencies
        let both = try Tensor.concatenating([angles, angles], along: -1)
        cosines = try both.cos().to(dtype: sample.dtype, device: sample.device)
        sines = try both.sin().to(dtype: sample.dtype, device: sample.device)
    }

    /// Normalizes heads, if there is something to do it with, and rotates them; what libtorch computes
    /// is rounded after the norm, every product and the sum.
    ///
    /// - Shapes: `heads` [B, T, H, d] → [B, H, T, d].
    func callAsFunction(_ heads: Tensor, _ norm: RoundedRMSNorm?) throws -> Tensor {
        let done = try applyRotary(
            heads, cosines: cosines, sines: sines, weight: norm?.weight(like: heads),
            epsilon: norm?.epsilon ?? 0)
        if let done { return try done.transposed(1, 2) }
        let x = try (norm?(heads) ?? heads).transposed(1, 2)
        let (low, high) = try x.halves(along: -1)
        let rotated = try Tensor.concatenating([-high, low], along: -1)
        return try x * cosines + rotated * sines
    }
}

/// RMS norm that rounds the normalized values before it applies the weight, where no kernel does both.
struct RoundedRMSNorm {
    private let weight: Parameter
    let epsilon: Double

    init(_ scope: Scope, width: Int, epsilon: Double) {
        weight = scope.parameter("weight", [width])
        self.epsilon = epsilon
    }

    func weight(like x: Tensor) throws -> Tensor { try weight.value(like: x) }

    func callAsFunction(_ x: Tensor) throws -> Tensor {
        try roundedRMSNorm(x, weight: weight.value(like: x), epsilon: epsilon)
    }
}

/// One layer of a decoder-only language model.
///
/// - Source: `Qwen3DecoderLayer`, `MistralDecoderLayer`, transformers.
struct DecoderLayer {
    private let beforeAttention, beforeFeedForward: RoundedRMSNorm
    private let q, k, v, out: Linear
    private let normQ, normK: RoundedRMSNorm?
    private let gate, up, down: Linear
    private let configuration: TextEncoderConfiguration

    init(_ scope: Scope, _ configuration: TextEncoderConfiguration) {
        self.configuration = configuration
        let (width, size) = (configuration.width, configuration.headSize)
        let hidden = configuration.feedForwardWidth
        let (queries, keys) = (
            configuration.headCount * size, configuration.keyValueHeadCount * size
        )
        func norm(_ place: Scope, _ width: Int) -> RoundedRMSNorm {
            RoundedRMSNorm(place, width: width, epsilon: configuration.epsilon)
        }
        beforeAttention = norm(scope["input_layernorm"], width)
        beforeFeedForward = norm(scope["post_attention_layernorm"], width)
        let attention = scope["self_attn"]
        q = Linear(attention["q_proj"], from: width, to: queries)
        k = Linear(attention["k_proj"], from: width, to: keys)
        v = Linear(attention["v_proj"], from: width, to: keys)
        out = Linear(attention["o_proj"], from: queries, to: width)
        let perHead = configuration.family.normalizesHeads
        normQ = perHead ? norm(attention["q_norm"], size) : nil
        normK = perHead ? norm(attention["k_norm"], size) : nil
        let mlp = scope["mlp"]
        gate = Linear(mlp["gate_proj"], from: width, to: hidden)
        up = Linear(mlp["up_proj"], from: width, to: hidden)
        down = Linear(mlp["down_proj"], from: hidden, to: width)
    }

    /// - Shapes: `x` [B, T, D] → the same.
    func callAsFunction(_ x: Tensor, rotary: RotateHalfTable, text: PaddedText) throws -> Tensor {
        let x = try x + attention(beforeAttention(x), rotary, text)
        let normed = try beforeFeedForward(x)
        return try x + down(gated(gate(normed), up(normed)))
    }

    private func attention(
        _ x: Tensor, _ rotary: RotateHalfTable, _ text: PaddedText
    ) throws -> Tensor {
        func heads(_ linear: Linear, _ count: Int) throws -> Tensor {
            try linear(x).reshaped([x.size(0), x.size(1), count, configuration.headSize])
        }
        let result = try text.attention(
            rotary(heads(q, configuration.headCount), normQ),
            rotary(heads(k, configuration.keyValueHeadCount), normK),
            heads(v, configuration.keyValueHeadCount).transposed(1, 2))
        return try out(result.transposed(1, 2).reshaped([x.size(0), x.size(1), -1]))
    }
}
