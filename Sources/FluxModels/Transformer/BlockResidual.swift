public import Torch

/// The residual of all blocks but the first, for later evaluations that skip these blocks (First Block
/// Cache).
///
/// Only the latents' tokens are kept: velocities are made of them alone.
///
/// - Source: `FirstBlockCacheConfig`, diffusers; FBCache of ParaAttention.
public final class BlockResidual {
    private let shouldSkip: (_ firstChange: () throws -> Tensor) throws -> Bool
    /// [B, Ti, D]; nil until an evaluation has been complete.
    private var change: Tensor?

    /// - Parameter shouldSkip: asked once in each evaluation, when the first block is done with the image,
    ///   whether the others shall be skipped; `firstChange` computes what that block changed of the
    ///   latents' tokens, [B, Ti, D]. The first evaluation has to be complete.
    public init(shouldSkip: @escaping (_ firstChange: () throws -> Tensor) throws -> Bool) {
        self.shouldSkip = shouldSkip
    }

    /// - Shapes: both [B, Ti, D], before the first block and behind it.
    func shouldSkip(_ before: Tensor, _ after: Tensor) throws -> Bool {
        try shouldSkip { try after - before }
    }

    /// Remembers an evaluation.
    ///
    /// - Shapes: both [B, Ti, D], behind the first block and behind the last.
    func store(_ first: Tensor, _ last: Tensor) throws { change = try last - first }

    /// What the last block would give, from what the first gave.
    func applied(_ first: Tensor) throws -> Tensor {
        guard let change else { preconditionFailure("no evaluation has been complete") }
        return try first + change
    }
}
