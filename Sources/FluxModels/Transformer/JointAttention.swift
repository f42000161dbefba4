public import Torch

/// Keys and values that a block attends to besides its own tokens.
///
/// - Shapes: each [B, S, H, d], rotated already where that is wanted.
public struct KeyValue {
    /// [B, S, H, d].
    public var keys: Tensor
    /// [B, S, H, d].
    public var values: Tensor

    /// Keys with their values, for as many places S.
    public init(keys: Tensor, values: Tensor) {
        self.keys = keys
        self.values = values
    }
}

/// Queries, keys and values of one stream, normalised per head.
///
/// - Shapes: each [B, T, H, d].
struct Projected {
    let q: Tensor
    let k: Tensor
    let v: Tensor
}

/// The per-head normalisation of queries and keys.
struct HeadNorms {
    private let q: RMSNorm
    private let k: RMSNorm
    private let heads: Int
    private let size: Int

    init(
        _ scope: Scope, q: String = "norm_q", k: String = "norm_k",
        _ configuration: TransformerConfiguration
    ) {
        heads = configuration.headCount
        size = configuration.headSize
        self.q = RMSNorm(scope[q], width: size, epsilon: configuration.epsilon)
        self.k = RMSNorm(scope[k], width: size, epsilon: configuration.epsilon)
    }

    /// - Shapes: `q`, `k`, `v` [B, T, D].
    func callAsFunction(q: Tensor, k: Tensor, v: Tensor) throws -> Projected {
        let shape = [q.size(0), q.size(1), heads, size]
        return try Projected(
            q: self.q(q.reshaped(shape)), k: self.k(k.reshaped(shape)), v: v.reshaped(shape))
    }
}

/// Attention of all tokens to all tokens, without a mask: padded text takes part.
///
/// - Shapes: → [B, T, D].
func jointAttention(
    _ streams: [Projected], rotary: RotaryTable, cache: KeyValue?
) throws -> Tensor {
    func joined(_ parts: [Tensor]) throws -> Tensor {
        parts.count == 1 ? parts[0] : try .concatenating(parts, along: 1)
    }
    let q = try rotary(joined(streams.map(\.q)))
    var k = try rotary(joined(streams.map(\.k)))
    var v = try joined(streams.map(\.v))
    if let cache {
        k = try .concatenating([k, cache.keys.to(dtype: k.dtype)], along: 1)
        v = try .concatenating([v, cache.values.to(dtype: v.dtype)], along: 1)
    }
    // Heads that lie apart cost attention more than bringing them together does.
    let heads = try attention(
        q.transposed(1, 2).contiguous(), k.transposed(1, 2).contiguous(),
        v.transposed(1, 2).contiguous())
    return try heads.transposed(1, 2).reshaped([q.size(0), q.size(1), -1])
}
