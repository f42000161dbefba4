internal import CTorch

extension Tensor {
    /// Singular values, largest first, with their vectors: `u · diag(s) · v`.
    ///
    /// - Shapes: [m, n] of float32 or float64 → [m, k], [k], [k, n] with k = min(m, n).
    public func singularValues() throws -> (u: Tensor, s: Tensor, v: Tensor) {
        try withExtendedLifetime(self) {
            var out: [ct_tensor?] = [nil, nil, nil]
            try check(out.withUnsafeMutableBufferPointer { ct_svd(raw, $0.baseAddress) })
            let parts = out.compactMap { $0.map(Tensor.init(adopting:)) }
            guard parts.count == 3 else { preconditionFailure("a decomposition of \(parts.count)") }
            return (parts[0], parts[1], parts[2])
        }
    }

    /// An orthonormal basis of the columns.
    ///
    /// - Shapes: [m, n] with m ≥ n → the same.
    public func orthonormalized() throws -> Tensor { try unary(ct_orthonormal) }
}
