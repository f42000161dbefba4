public import Torch

/// The arithmetic of flow matching, in the type of the latents: in bfloat16 every product and every
/// sum is rounded, as in DiffSynth-Studio.
public enum FlowStep {
    /// One Euler step from a noise level to the next: `x + v · (next − now)`.
    ///
    /// - Parameter in32Bits: round once at the end, as diffusers does.
    public static func euler(
        _ latents: Tensor, velocity: Tensor, from now: Float, to next: Float,
        in32Bits: Bool = false
    ) throws -> Tensor {
        guard in32Bits else { return try latents + velocity * Double(next - now) }
        let exact = try latents.to(dtype: .float32) + velocity * Double(next - now)
        return try exact.to(dtype: latents.dtype)
    }

    /// The latents at a noise level: `(1 − σ) · clean + σ · noise`.
    ///
    /// Both factors are rounded to the type of the latents first: where a scalar tensor stands on
    /// the left of a product, PyTorch does that.
    public static func noised(_ clean: Tensor, noise: Tensor, sigma: Float) throws -> Tensor {
        try noised(clean, noise: noise, sigmas: [sigma])
    }

    /// The same with one noise level for all samples, or one for each.
    ///
    /// - Shapes: `clean`, `noise` [B, …] → the same.
    public static func noised(_ clean: Tensor, noise: Tensor, sigmas: [Float]) throws -> Tensor {
        let shape = [sigmas.count] + Array(repeating: 1, count: clean.shape.count - 1)
        func factors(_ values: [Float]) throws -> Tensor {
            try .from(values, shape: shape).to(dtype: clean.dtype, device: clean.device)
        }
        return try clean * factors(sigmas.map { 1 - $0 }) + noise * factors(sigmas)
    }

    /// The velocity that leads from the latents straight to `clean`.
    public static func velocity(
        from latents: Tensor, to clean: Tensor, sigma: Float
    ) throws -> Tensor {
        try (latents - clean) / Double(sigma)
    }

    /// What the transformer learns to predict: `noise − clean`.
    public static func target(clean: Tensor, noise: Tensor) throws -> Tensor { try noise - clean }

    /// Moves away from the negative prompt's velocity: `v⁻ + scale · (v⁺ − v⁻)`.
    public static func guided(
        conditional: Tensor, unconditional: Tensor, scale: Double
    ) throws -> Tensor {
        try unconditional + scale * (conditional - unconditional)
    }
}
