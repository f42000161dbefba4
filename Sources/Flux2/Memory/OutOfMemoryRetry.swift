internal import Torch

/// Retries a stage with less on the device when memory runs out in spite of the plan.
struct OutOfMemoryRetry {
    private let pipeline: Pipeline
    private let request: GenerationRequest
    private var outcome: Planner.Outcome
    private var settings: MemorySettings

    init(_ pipeline: Pipeline, _ request: GenerationRequest, _ outcome: Planner.Outcome) {
        self.pipeline = pipeline
        self.request = request
        self.outcome = outcome
        settings = pipeline.memory
    }

    /// The plan that counts now.
    var plan: MemoryPlan { outcome.plan }

    /// Runs a stage, and again with a lower plan as long as that makes a difference.
    ///
    /// - Throws: what the stage throws; for want of memory only when no plan is left.
    mutating func attempt<Result>(
        _ name: String, _ run: inout GenerationRun, _ onEvent: (GenerationEvent) -> Void,
        _ stage: (inout GenerationRun) throws -> Result
    ) throws -> Result {
        while true {
            do {
                return try stage(&run)
            } catch let error as TorchError where error.reason == .outOfMemory {
                guard let settled = lower(name) else { throw error }
                onEvent(
                    .warned(
                        "memory ran out, trying again with \(MemoryPlan.gib(settings.lowered[name] ?? 0)) "
                            + "GiB on \(plan.device) (\(error))"))
                onEvent(.planned(plan))
                try pipeline.releaseAll()
                try pipeline.place(outcome)
                run.adopt(settled)
            }
        }
    }

    /// The next plan that is another one, with a sixteenth less for the stage each time.
    private mutating func lower(_ name: String) -> GenerationRequest? {
        var limit = settings.lowered[name] ?? plan.stages.first { $0.name == name }?.total ?? 0
        while limit > 1 << 20 {
            limit = limit / 16 * 15
            settings.lowered[name] = limit
            guard let next = try? pipeline.plan(request, settings) else { return nil }
            guard
                next.outcome.placements != outcome.placements
                    || next.outcome.plan.usesStrips != outcome.plan.usesStrips
            else { continue }
            outcome = next.outcome
            return next.request
        }
        return nil
    }
}
