internal import Torch

/// Shift, scale and gate of one sub-layer, each [B, 1, D].
struct Modulation {
    let shift: Tensor
    let scale: Tensor
    let gate: Tensor

    /// Shifts and scales a normalized stream: `(1 + scale) · norm(x) + shift`.
    ///
    /// - Shapes: `x` [B, T, D] → the same.
    func callAsFunction(_ x: Tensor, epsilon: Double) throws -> Tensor {
        try modulated(x, shift: shift, scale: scale, epsilon: epsilon)
    }
}

/// The matrix that makes the modulations of all blocks of one kind from the timestep's embedding.
struct ModulationSource {
    let name: String
    private let linear: Linear
    private let sets: Int

    /// - Parameter sets: modulations per block: attention and feed-forward, or one for both.
    init(_ scope: Scope, name: String, width: Int, sets: Int) {
        self.name = name + ".linear"
        self.sets = sets
        linear = Linear(scope[name]["linear"], from: width, to: 3 * sets * width)
    }

    /// - Shapes: `embedding` [B, D].
    func callAsFunction(
        _ embedding: Tensor, observe: (String, Tensor) throws -> Void
    ) throws -> [Modulation] {
        let all = try linear(silu(embedding))
        try observe(name, all)
        let parts = try all.unsqueezed(1).chunks(3 * sets, along: -1)
        return (0..<sets).map {
            Modulation(shift: parts[3 * $0], scale: parts[3 * $0 + 1], gate: parts[3 * $0 + 2])
        }
    }
}
