public import Torch

extension WeightDelta {
    /// The best change of a rank: the largest singular values and their vectors, shared out evenly.
    ///
    /// Large matrices are looked at through random projections, refined by four passes.
    ///
    /// - Shapes: `matrix` [out, in] of float32.
    /// - Returns: the change, and the part of the matrix that it leaves out, as a share of its norm.
    public static func extracted(
        from matrix: Tensor, rank: Int, seed: UInt64 = 0
    ) throws -> (delta: WeightDelta, error: Double) {
        let rank = min(rank, matrix.size(0), matrix.size(1))
        let (u, s, v) = try decomposed(matrix, rank: rank, seed)
        let root = try s.sqrt()
        let up = try u * root.unsqueezed(0)
        let down = try v * root.unsqueezed(1)
        let norm = try matrix.square().sum().item().squareRoot()
        let rest = try (matrix - up.matmul(down)).square().sum().item().squareRoot()
        return (.lowRank(down: down, up: up), norm > 0 ? rest / norm : 0)
    }

    private static func decomposed(
        _ matrix: Tensor, rank: Int, _ seed: UInt64
    ) throws -> (Tensor, Tensor, Tensor) {
        func cut(_ parts: (u: Tensor, s: Tensor, v: Tensor)) throws -> (Tensor, Tensor, Tensor) {
            try (
                parts.u.slice(0..<rank, along: 1), parts.s.slice(0..<rank, along: 0),
                parts.v.slice(0..<rank, along: 0)
            )
        }
        let width = rank + 16
        guard min(matrix.size(0), matrix.size(1)) > 4 * width else {
            return try cut(matrix.singularValues())
        }
        let start = try Tensor.randn([matrix.size(1), width], generator: Generator(seed: seed))
        var basis = try matrix.matmul(start).orthonormalized()
        for _ in 0..<4 {
            let back = try matrix.transposed(0, 1).matmul(basis).orthonormalized()
            basis = try matrix.matmul(back).orthonormalized()
        }
        let small = try basis.transposed(0, 1).matmul(matrix).singularValues()
        return try cut((basis.matmul(small.u), small.s, small.v))
    }
}
