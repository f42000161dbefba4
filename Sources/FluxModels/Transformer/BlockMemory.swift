internal import Foundation
public import Torch

/// What all blocks but the first brought to the latents in an evaluation, for later ones that do without
/// these blocks.
///
/// Only the latents' tokens are kept: velocities are made of them alone.
public final class BlockMemory {
    private let skips: (Tensor) throws -> Bool
    /// [B, Ti, D]; nil until an evaluation has been complete.
    private(set) var change: Tensor?
    var former: Tensor?
    var level = 0.0, formerLevel = 0.0
    let damping = Double(ProcessInfo.processInfo.environment["FLUX2_EXTRAPOLATE"] ?? "0") ?? 0

    /// - Parameter skips: asked once in each evaluation, when the first block is done with the picture,
    ///   whether the others shall be skipped; given what it changed of the latents' tokens,
    ///   [B, Ti, D]. The first evaluation has to be complete.
    public init(skips: @escaping (_ firstChange: Tensor) throws -> Bool) { self.skips = skips }

    /// - Shapes: both [B, Ti, D], before the first block and behind it.
    func decides(_ before: Tensor, _ after: Tensor) throws -> Bool { try skips(after - before) }

    /// Remembers an evaluation.
    ///
    /// - Shapes: both [B, Ti, D], behind the first block and behind the last.
    func keep(_ first: Tensor, _ last: Tensor, _ sigma: Tensor) throws {
        former = change
        formerLevel = level
        change = try last - first
        level = try sigma.item()
    }

    /// What the last block would give, from what the first gave.
    func completed(_ first: Tensor, _ sigma: Tensor) throws -> Tensor {
        guard let change else { preconditionFailure("no evaluation has been complete") }
        if damping > 0, let former {
            let factor = try damping * (sigma.item() - level) / (level - formerLevel)
            return try first + change + (change - former) * factor
        }
        return try first + change
    }
}
