internal import FluxModels
internal import Torch

/// First Block Cache: decides which steps skip all blocks of the transformer but the first and reuse the
/// residual of an earlier step instead.
///
/// The first block of a step shows how far the others would be from their last residual: what it
/// changes of the latents is compared with what it changed in the last complete step, as the mean absolute
/// difference over the mean absolute change. Differences of steps that are skipped one after the other
/// add up, and a step is skipped while the sum stays below the threshold. So a threshold is
/// the error that all skipped steps between two complete ones may have together, as a share of one
/// step's change: 0 skips nothing, and at 0.2 two steps of 0.09 may follow each other, but no third.
///
/// The first step and the last are complete. With guidance the conditional pass decides for both, so that
/// both residuals are of the same age: guidance multiplies what they differ by.
final class FirstBlockCache {
    private let threshold: Double
    private let steps: Int
    /// The present step, and what was decided of it.
    private var step = 0
    private var isSkipped: Bool?
    /// What the first block changed in the last complete step, and its mean size.
    private var last: (change: Tensor, size: Double)?
    /// The sum of the differences since then.
    private var drift = 0.0
    /// Steps that were skipped so far.
    private(set) var skipped = 0

    init(threshold: Double, steps: Int) {
        self.threshold = threshold
        self.steps = steps
    }

    /// Begins a step; decisions of its evaluations are the first one's.
    func begin(_ step: Int) {
        self.step = step
        isSkipped = nil
    }

    /// Whether an evaluation of the present step skips all blocks but the first.
    ///
    /// - Parameter firstChange: computes what the first block changed of the latents, if that is needed.
    func shouldSkip(_ firstChange: () throws -> Tensor) throws -> Bool {
        if let isSkipped { return isSkipped }
        let change = try firstChange()
        let shouldSkip = try step > 0 && step < steps - 1 && staysBelow(change)
        isSkipped = shouldSkip
        if shouldSkip {
            skipped += 1
        } else {
            last = (change, try change.meanSize())
            drift = 0
        }
        return shouldSkip
    }

    private func staysBelow(_ change: Tensor) throws -> Bool {
        guard threshold > 0, let last else { return false }
        drift += try (change - last.change).meanSize() / last.size
        // A change of nothing to compare with is NaN, and below nothing.
        return drift < threshold
    }
}

extension Tensor {
    /// The mean of the absolute values, added up in float32.
    fileprivate func meanSize() throws -> Double {
        try abs().mean().to(dtype: .float32).item()
    }
}
