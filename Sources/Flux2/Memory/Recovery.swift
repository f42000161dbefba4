internal import Torch

/// Goes on when memory runs out in spite of the plan: with less on the device, and again.
struct Recovery {
    private let pipeline: Pipeline
    private let request: GenerationRequest
    private var outcome: Planner.Outcome

    init(_ pipeline: Pipeline, _ request: GenerationRequest, _ outcome: Planner.Outcome) {
        self.pipeline = pipeline
        self.request = request
        self.outcome = outcome
    }

    /// The plan that counts now.
    var plan: MemoryPlan { outcome.plan }

    /// Runs a stage, and again with a lower plan as long as that makes a difference.
    ///
    /// - Throws: what the stage throws; for want of memory only when no plan is left.
    mutating func retrying<Result>(
        _ run: inout GenerationRun, _ onEvent: (GenerationEvent) -> Void,
        _ stage: (inout GenerationRun) throws -> Result
    ) throws -> Result {
        while true {
            do {
                return try stage(&run)
            } catch let error as TorchError where error.reason == .outOfMemory {
                guard let settled = lower() else { throw error }
                onEvent(
                    .warned(
                        "memory ran out, trying again with \(MemoryPlan.gib(plan.deviceBudget)) "
                            + "GiB on \(plan.device) (\(error))"))
                onEvent(.planned(plan))
                try pipeline.releaseAll()
                pipeline.arrange(outcome)
                run.follow(settled)
            }
        }
    }

    /// The next plan that is another one, with a fifth less each time.
    private mutating func lower() -> GenerationRequest? {
        var settings = pipeline.memory
        var limit = outcome.plan.deviceBudget
        while limit > 64 << 20 {
            limit = limit / 5 * 4
            settings.deviceLimit = limit
            guard let next = try? pipeline.plan(request, settings) else { return nil }
            let isOther =
                next.outcome.arrangements != outcome.arrangements
                || next.outcome.plan.usesStrips != outcome.plan.usesStrips
            outcome.plan.deviceBudget = limit
            guard isOther else { continue }
            outcome = next.outcome
            return next.request
        }
        return nil
    }
}
