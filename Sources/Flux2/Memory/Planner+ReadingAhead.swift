internal import FluxModels
internal import Offloading
internal import Torch

/// How weights come from the disk: ahead of their stage, and past the system's cache.
extension Planner {
    /// Whether what the transformer needs first comes while the encoder still computes. Buffers and slots
    /// for it then stand beside the encoder's.
    func settleReadingAhead(_ outcome: inout Outcome) {
        switch outcome.placements[.transformer] {
        case .directIO, .streamed: break
        case .resident, .paged, nil: return
        }
        outcome.plan.readsAhead = false
        let stages = outcome.plan.stages
        guard !keepsAllResident, let encode = stages.firstIndex(where: { $0.name == "encode" }),
            let next = stages.first(where: { $0.name == "denoise" })
        else { return }
        let weights = usesDevice ? next.weights : 0
        let more = next.slots + weights + max(0, next.scratch - stages[encode].scratch)
        let budget = deviceBudget("encode") + (usesDevice ? stages[encode].base : 0)
        guard stages[encode].total + more <= budget else { return }
        // What is mapped counts for the host alone, and there beside the rest.
        let mapped = stages[encode].mapped + next.mapped
        guard
            usesDevice
                || stages[encode].total + more + mapped + Self.hostMargin(hostBudget) <= hostBudget
        else { return }
        outcome.plan.stages[encode].slots += more
        outcome.plan.readsAhead = true
    }

    /// Whether there is room for what the transformer needs first beside a stage before it.
    func hasRoomAhead(_ stage: MemoryPlan.StagePlan) -> Bool {
        guard !usesDevice, let next = parts.first(where: { $0.component == .transformer }),
            !next.isPrivate
        else { return false }
        let taken = stage.total + stage.mapped + Self.hostMargin(hostBudget)
        return taken + next.small + 2 * next.largest <= hostBudget
    }

    /// The stage with buffers of its own in place of mapped pages, where most weights have to come from
    /// the disk anyway: reading those past the system's cache takes less of the processor.
    func directly(
        _ mapped: MemoryPlan.StagePlan, _ demand: Demand, _ part: Part
    ) -> MemoryPlan.StagePlan? {
        guard part.cachedShare() < 0.5 else { return nil }
        var stage = mapped
        // Tensors begin at any place of a page, and buffers at a large one.
        stage.slots = 2 * (part.largest + (1 << 20))
        stage.mapped -= 2 * part.largest
        return stage.total <= deviceBudget(demand.stage) ? stage : nil
    }
}
