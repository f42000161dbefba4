public import Torch

/// What all blocks but the first brought to the latents in an evaluation, for later ones that do without
/// these blocks.
///
/// Only the latents' tokens are kept: velocities are made of them alone.
public final class BlockMemory {
    private let skips: (_ firstChange: () throws -> Tensor) throws -> Bool
    /// [B, Ti, D]; nil until an evaluation has been complete.
    private var change: Tensor?

    /// - Parameter skips: asked once in each evaluation, when the first block is done with the picture,
    ///   whether the others shall be skipped; `firstChange` computes what that block changed of the
    ///   latents' tokens, [B, Ti, D]. The first evaluation has to be complete.
    public init(skips: @escaping (_ firstChange: () throws -> Tensor) throws -> Bool) {
        self.skips = skips
    }

    /// - Shapes: both [B, Ti, D], before the first block and behind it.
    func decides(_ before: Tensor, _ after: Tensor) throws -> Bool {
        try skips { try after - before }
    }

    /// Remembers an evaluation.
    ///
    /// - Shapes: both [B, Ti, D], behind the first block and behind the last.
    func keep(_ first: Tensor, _ last: Tensor) throws { change = try last - first }

    /// What the last block would give, from what the first gave.
    func completed(_ first: Tensor) throws -> Tensor {
        guard let change else { preconditionFailure("no evaluation has been complete") }
        return try first + change
    }
}
