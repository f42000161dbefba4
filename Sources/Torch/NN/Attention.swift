internal import CTorch

/// Scaled dot-product attention with scale 1/√(head size).
///
/// - Parameters:
///   - mask: true where a query may look at a key, broadcast to [B, H, Tq, Tk]; a query that may
///     look at nothing gives zeros.
///   - causal: each query looks at keys up to its own position.
///   - grouped: `k` and `v` have fewer heads, each shared by several query heads.
///   - gathering: whether libtorch gets the rows of each head brought together, which takes less
///     time than it loses with rows that lie apart.
/// - Shapes: `q` [B, H, Tq, d]; `k`, `v` [B, Hk, Tk, d] → [B, H, Tq, d].
public func attention(
    _ q: Tensor, _ k: Tensor, _ v: Tensor, mask: Tensor? = nil, causal: Bool = false,
    grouped: Bool = false, gathering: Bool = false
) throws -> Tensor {
    if mask == nil, grouped || q.size(1) == k.size(1), Kernel.attention.serves(q, k, v) {
        return try kernelAttention(q, k, v, causal: causal)
    }
    func gathered(_ x: Tensor) throws -> Tensor { gathering ? try x.contiguous() : x }
    let (q, k, v) = try (gathered(q), gathered(k), gathered(v))
    return try withExtendedLifetime((q, k, v, mask)) {
        try Tensor.make {
            ct_scaled_dot_product_attention(q.raw, k.raw, v.raw, mask?.raw, causal, grouped, $0)
        }
    }
}

/// Whether a kernel computes attention of these without the attention matrix, be heads ever so wide.
public func hasAttentionKernel(for q: Tensor, _ k: Tensor, _ v: Tensor) -> Bool {
    Kernel.attention.serves(q, k, v)
}

/// Attention of texts with padding: each token looks at words up to its own place.
///
/// - Parameters:
///   - words: the places of each text's words.
///   - mask: the same for libtorch, true where a token may look, [B or 1, 1, T, Tk].
/// - Shapes: `q` [B, H, T, d]; `k`, `v` [B, Hk, Tk, d] for the first Tk places → [B, H, T, d].
public func attention(
    _ q: Tensor, _ k: Tensor, _ v: Tensor, words: [Range<Int>], mask: Tensor
) throws -> Tensor {
    precondition(words.count == q.size(0), "\(words.count) texts for \(q.size(0))")
    guard Kernel.attention.serves(q, k, v) else {
        return try attention(q, k, v, mask: mask, grouped: q.size(1) != k.size(1))
    }
    return try kernelAttention(q, k, v, causal: true, words: words)
}

/// The result's heads lie beside each other for each token.
private func kernelAttention(
    _ q: Tensor, _ k: Tensor, _ v: Tensor, causal: Bool, words: [Range<Int>]? = nil
) throws -> Tensor {
    let result = try Tensor.empty(
        [q.size(0), q.size(2), q.size(1), q.size(3)], dtype: q.dtype, device: q.device
    ).transposed(1, 2)
    let limits = words?.flatMap { [Int64($0.lowerBound), Int64($0.upperBound)] }
    try withExtendedLifetime((q, k, v, result)) {
        try check(ct_kernel_attention(q.raw, k.raw, v.raw, causal, limits, result.raw))
    }
    return result
}
