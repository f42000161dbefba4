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

/// Queries, keys and values of one stream, normalized per head, at the latest when they are rotated.
///
/// - Shapes: each [B, T, H, d].
struct QKV {
    let q: PreRotaryHeads
    let k: PreRotaryHeads
    let v: Tensor
}

/// The per-head normalization of queries and keys.
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
    func callAsFunction(q: Tensor, k: Tensor, v: Tensor) throws -> QKV {
        let shape = [q.size(0), q.size(1), heads, size]
        return try QKV(
            q: PreRotaryHeads(q.reshaped(shape), self.q),
            k: PreRotaryHeads(k.reshaped(shape), self.k), v: v.reshaped(shape))
    }
}

/// Attention of all tokens to all tokens, without a mask: padded text takes part.
///
/// - Shapes: → [B, T, D].
func jointAttention(
    _ streams: [QKV], rotary: RotaryTable, cache: KeyValue?
) throws -> Tensor {
    let q = try rotary(streams.map(\.q))
    var k = try rotary(streams.map(\.k))
    var v =
        streams.count == 1 ? streams[0].v : try .concatenating(streams.map(\.v), along: 1)
    if let cache {
        k = try .concatenating([k, cache.keys.to(dtype: k.dtype)], along: 1)
        v = try .concatenating([v, cache.values.to(dtype: v.dtype)], along: 1)
    }
    let heads = try attention(
        q.transposed(1, 2), k.transposed(1, 2), v.transposed(1, 2), gathering: true)
    return try heads.transposed(1, 2).reshaped([q.size(0), q.size(1), -1])
}
