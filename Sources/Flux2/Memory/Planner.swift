internal import FluxModels
internal import Offloading
internal import Torch

/// Finds places for all weights of a generation, from sizes alone.
struct Planner {
    /// The weights of one component as they will be kept.
    struct Part {
        var component: Component
        /// How they are kept: a type's name.
        var format: String
        var units: [WeightGroupSize]
        /// Bytes that are used all the time.
        var small: Int
        /// Bytes for a matrix while it is used, where weights are kept in another type.
        var scratch: Int
        /// Whether some are in memory of the process instead of a mapped file.
        var isPrivate: Bool { privateBytes > 0 }
        /// Bytes that are in memory of the process instead of a mapped file.
        var privateBytes = 0
        /// Evaluations in a generation.
        var passes: Int
        /// How much of the files is in the system's memory, as a share; asked where it matters.
        var cachedShare: () -> Double = { 1 }

        var unitBytes: Int { units.reduce(0) { $0 + $1.byteCount } }
        var largest: Int { units.map(\.byteCount).max() ?? 0 }
    }

    /// What a stage takes besides weights.
    struct Demand {
        var stage: String
        var component: Component
        var base: Int
        var activations: Int
    }

    var device: Device
    var settings: MemorySettings
    /// Free memory of the device, with what this process would give back first.
    var deviceFree: Int
    /// The same of the host.
    var hostFree: Int
    var parts: [Part]
    var demands: [Demand]
    /// Bytes of the LoRAs of the transformer.
    var loras = 0

    /// Places for one model's weights.
    struct Outcome {
        var plan: MemoryPlan
        var placements: [Component: WeightPlacement]
        /// Whether the conditional and unconditional passes go through each group of weights before the
        /// next one.
        var evaluatesInLockstep = false

        /// Whether weights of the transformer come while they are used.
        var streamsTransformer: Bool {
            (plan.components.first { $0.name == Component.transformer.rawValue }?.streamed ?? 0) > 0
        }
    }

    /// Room that is left for what nobody counts: a driver's workspaces.
    static let margin = 128 << 20

    /// The same of the host, where the system reads more of a file than it is asked for, and keeps
    /// tables of all pages.
    static func hostMargin(_ budget: Int) -> Int { max(margin, budget / 16) }

    var usesDevice: Bool { device.kind != .cpu || settings.simulatesDevice }

    private var deviceBudget: Int {
        let limit = settings.usesLeast ? nil : settings.deviceLimit
        let most = min(limit ?? deviceFree, deviceFree)
        if device.kind == .cpu {
            let host = settings.simulatesDevice ? most : hostBudget - Self.hostMargin(hostBudget)
            return max(0, limit.map { min($0, host) } ?? host)
        }
        // A driver and its libraries take some of it, too.
        return max(0, most - 2 * Self.margin)
    }

    func deviceBudget(_ stage: String) -> Int {
        min(deviceBudget, settings.lowered[stage] ?? .max)
    }

    var hostBudget: Int { min(settings.hostLimit ?? hostFree, hostFree) }

    /// - Throws: `MemoryError` for the first stage that does not fit.
    func callAsFunction() throws -> Outcome {
        var outcome = Outcome(
            plan: MemoryPlan(
                device: device.description, deviceBudget: deviceBudget, hostBudget: hostBudget,
                stages: [], components: []),
            placements: [:])
        outcome.plan.keepsAll = keepsAllResident
        for demand in demands {
            guard let part = parts.first(where: { $0.component == demand.component }) else {
                continue
            }
            let placed = try usesDevice ? onDevice(demand, part) : onHost(demand, part)
            outcome.plan.stages.append(placed.stage)
            outcome.placements[demand.component] = placed.placement
            if demand.stage == "encode" { outcome.plan.readsAhead = hasRoomAhead(placed.stage) }
            outcome.plan.components.removeAll { $0.name == demand.component.rawValue }
            outcome.plan.components.append(summary(part, placed.placement))
        }
        settleReadingAhead(&outcome)
        return outcome
    }

    private typealias Placed = (stage: MemoryPlan.StagePlan, placement: WeightPlacement)

    private func stage(_ demand: Demand, _ part: Part) -> MemoryPlan.StagePlan {
        var stage = MemoryPlan.StagePlan(name: demand.stage)
        stage.base = demand.base
        stage.activations = demand.activations
        stage.scratch = part.scratch
        // Read before the first stage, and kept.
        stage.loras = loras
        return stage
    }

    // MARK: In a device's memory

    private func onDevice(_ demand: Demand, _ part: Part) throws -> Placed {
        var stage = stage(demand, part)
        stage.weights = part.small + (keepsAllResident ? otherBytes(part) : 0)
        // The process itself is elsewhere.
        let budget = deviceBudget(demand.stage) + stage.base
        let room = budget - stage.total
        let comes = settings.usesLeast && part.unitBytes > 0
        guard comes || part.unitBytes > room else {
            stage.weights += part.unitBytes
            let all = Set(part.units.map(\.name))
            return (stage, settings.simulatesDevice ? .streamed(resident: all, .init()) : .resident)
        }
        var slots = WeightPlacement.DeviceBufferSettings()
        stage.slots = slots.slots * (part.largest + 4096)
        guard budget >= stage.total else {
            throw MemoryError(
                stage: demand.stage, place: "\(device)", needed: stage.total - stage.base,
                available: deviceBudget(demand.stage))
        }
        let resident = comes ? [] : Self.spread(part.units, over: budget - stage.total)
        let stay = part.units.filter { resident.contains($0.name) }
        stage.weights += stay.reduce(0) { $0 + $1.byteCount }
        let streamed = part.unitBytes - stay.reduce(0) { $0 + $1.byteCount }
        if device.kind != .cpu {
            let room = hostBudget - privateBytes - stage.slots
            guard room >= 0 else {
                throw MemoryError(
                    stage: demand.stage, place: "the host", needed: hostBudget - room,
                    available: hostBudget)
            }
            if !part.isPrivate { slots.pinned = min(streamed, room / 5 * 3) }
        }
        slots.releases = settings.hostLimit != nil
        return (stage, .streamed(resident: resident, slots))
    }

    /// Whether all parts fit on the device at once, which spares loading them again.
    var keepsAllResident: Bool {
        guard usesDevice, settings.lowered.isEmpty, !settings.usesLeast else { return false }
        let weights = parts.reduce(0) { $0 + $1.unitBytes + $1.small }
        let most = demands.map { demand in
            demand.activations
                + (parts.first { $0.component == demand.component }?.scratch ?? 0)
        }.max()
        return weights + (most ?? 0) + loras <= deviceBudget
    }

    private func otherBytes(_ part: Part) -> Int {
        parts.filter { $0.component != part.component }
            .reduce(0) { $0 + $1.unitBytes + $1.small }
    }

    /// Bytes of weights that the host keeps in memory of this process.
    private var privateBytes: Int { parts.reduce(0) { $0 + $1.privateBytes } }

    private func otherMapped(_ part: Part) -> Int {
        parts.filter { $0.component != part.component && !$0.isPrivate }
            .reduce(0) { $0 + $1.unitBytes + $1.small }
    }

    // MARK: In mapped files

    private func onHost(_ demand: Demand, _ part: Part) throws -> Placed {
        var stage = stage(demand, part)
        stage.weights += privateBytes
        guard stage.total <= deviceBudget(demand.stage) else {
            throw MemoryError(
                stage: demand.stage, place: "\(device)", needed: stage.total,
                available: deviceBudget(demand.stage))
        }
        let room = hostBudget - stage.total - Self.hostMargin(hostBudget)
        if part.isPrivate { return (stage, .resident) }
        let isBounded = settings.hostLimit != nil
        // Parts of earlier stages leave by themselves when memory runs short, but not for a limit.
        let mapped = part.unitBytes + part.small + (isBounded ? otherMapped(part) : 0)
        guard mapped > room, !part.units.isEmpty else {
            stage.mapped = part.unitBytes + part.small
            return (stage, .resident)
        }
        // One unit is used while the next is read.
        let small = part.small + (isBounded ? autoencoderBytes : 0)
        let window = small + 2 * part.largest
        guard window <= room else {
            throw MemoryError(
                stage: demand.stage, place: "the host", needed: hostBudget - room + window,
                available: hostBudget)
        }
        // What is used once need not stay.
        let kept = part.passes > 1 ? Self.spread(part.units, over: room - window) : []
        let stay = part.units.filter { kept.contains($0.name) }
        stage.mapped = window + stay.reduce(0) { $0 + $1.byteCount }
        if let direct = directly(stage, demand, part) {
            return (direct, .directIO(kept: kept, bounded: isBounded))
        }
        return (stage, .paged(kept: kept, bounded: isBounded))
    }

    /// The autoencoder is small and stays.
    private var autoencoderBytes: Int {
        parts.first { $0.component == .autoencoder }?.small ?? 0
    }

    // MARK: What stays

    /// As many units as there is room for, spread evenly over all, so that the others come while
    /// these are used.
    static func spread(_ units: [WeightGroupSize], over room: Int) -> Set<String> {
        let total = units.reduce(0) { $0 + $1.byteCount }
        guard total > 0, room > 0 else { return [] }
        let share = min(1, Double(room) / Double(total))
        var passed = 0
        var taken = 0
        var names: Set<String> = []
        for unit in units {
            passed += unit.byteCount
            guard Double(taken + unit.byteCount) <= share * Double(passed) + 1,
                taken + unit.byteCount <= room
            else { continue }
            taken += unit.byteCount
            names.insert(unit.name)
        }
        // What is left over at the end goes to the first that fit.
        for unit in units
        where !names.contains(unit.name) && taken + unit.byteCount <= room {
            taken += unit.byteCount
            names.insert(unit.name)
        }
        return names
    }

    private func summary(_ part: Part, _ placement: WeightPlacement) -> MemoryPlan.ComponentPlan {
        let stays: (String) -> Bool
        var source: String?
        switch placement {
        case .resident: stays = { _ in true }
        case .streamed(let resident, let settings):
            stays = resident.contains
            source = part.isPrivate || settings.pinned > 0 ? "host" : "disk"
        case .paged(let kept, _), .directIO(let kept, _):
            stays = kept.contains
            source = "disk"
        }
        let units = part.units.map {
            MemoryPlan.ComponentPlan.Unit(
                name: $0.name, bytes: $0.byteCount, stays: stays($0.name))
        }
        let streamed = units.filter { !$0.stays }.reduce(0) { $0 + $1.bytes }
        return MemoryPlan.ComponentPlan(
            name: part.component.rawValue, format: part.format,
            bytes: part.unitBytes + part.small,
            resident: part.unitBytes + part.small - streamed, streamed: streamed,
            source: streamed > 0 ? source : nil, passes: part.passes, units: units)
    }
}
