internal import Torch

/// Which tokens of a padded text may look at which: those up to their own place that are real.
struct AttentionMask {
    /// True where a query may look at a key, [1, 1, T, T]; nil when only the order matters.
    private let allowed: Tensor?
    /// True for queries that may look at anything, [1, 1, T, 1]; nil when all may.
    private let seeing: Tensor?

    /// - Parameter real: false for padding.
    init(_ real: [Bool], like sample: Tensor) throws {
        guard real.contains(false) else {
            allowed = nil
            seeing = nil
            return
        }
        let count = real.count
        let keys = try Tensor.from(real).reshaped([1, 1, 1, count])
        let causal = try Tensor.ones([count, count], dtype: .bool).lowerTriangle()
        allowed = try causal.and(keys).to(device: sample.device)
        // Padding on the left leaves queries that see nothing; their result has to be zero.
        seeing =
            real.first == true
            ? nil
            : try causal.and(keys).to(dtype: .float32).sum(along: [-1], keepingAxes: true)
                .greater(than: 0).to(device: sample.device)
    }

    /// - Shapes: `q` [B, H, T, d]; `k`, `v` [B, Hk, T, d] → [B, H, T, d].
    func attention(_ q: Tensor, _ k: Tensor, _ v: Tensor) throws -> Tensor {
        let grouped = q.size(1) != k.size(1)
        guard let allowed else {
            return try Torch.attention(q, k, v, causal: true, grouped: grouped)
        }
        let result = try Torch.attention(q, k, v, mask: allowed, grouped: grouped)
        // The CPU kernel gives zeros for blind queries; other devices promise nothing.
        guard let seeing, q.device.kind != .cpu else { return result }
        return try .choosing(seeing, result, .zeros([1], dtype: result.dtype, device: q.device))
    }
}
