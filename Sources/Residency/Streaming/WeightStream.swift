public import Torch

/// Brings the weights of a model while it computes, a few units ahead of their use.
///
/// Units are used in their order, passage after passage, which may end early; a unit that is asked for
/// out of order is brought all the same, and what follows it after that.
public final class WeightStream: WeightSupply {
    /// In the order of their use.
    public let units: [WeightUnit]
    private let carrier: any WeightCarrier
    private let queue: BringQueue
    private var places: [ObjectIdentifier: (unit: Int, index: Int)] = [:]
    private var current: (unit: Int, slot: Int, weights: [StoredWeight])?
    /// The order that units are brought in, and the one in which they have been used.
    private var order: [Int]
    private var used: [Int] = []

    /// Brings units to slots in a device's memory.
    ///
    /// - Parameters:
    ///   - slots: at least 2, so that one is filled while another is used.
    ///   - pinned: bytes of weights to keep in memory that the device reads by itself.
    ///   - releases: whether what had to be read from the disk leaves memory after its copy.
    ///   - poisons: whether what was used is overwritten at once, so that a use too late shows.
    public convenience init(
        _ units: [WeightUnit], device: Device, slots: Int, pinned: Int = 0, releases: Bool = false,
        poisons: Bool = false
    ) throws {
        let carrier = try SlotCarrier(
            units, device: device, slots: slots, pinned: pinned, releases: releases,
            poisons: poisons)
        self.init(units, carrier)
    }

    /// Leaves units where they are mapped, and has their pages there when they are used.
    ///
    /// - Parameters:
    ///   - kept: units whose pages stay; those of others go after their use.
    ///   - ahead: how many units are read before they are used.
    ///   - bounded: whether pages that others have read leave this process, too.
    public convenience init(
        inPlace units: [WeightUnit], kept: Set<Int>, ahead: Int = 1, bounded: Bool
    ) {
        self.init(units, PageCarrier(units, kept: kept, ahead: ahead, bounded: bounded))
    }

    /// Reads units from the disk into buffers, past the system's cache.
    ///
    /// - Parameter kept: units that stay where they are mapped.
    /// - Returns: nil where files cannot be read so.
    public convenience init?(
        reading units: [WeightUnit], kept: Set<Int>, ahead: Int = 1
    ) throws {
        guard let carrier = try DirectCarrier(units, kept: kept, ahead: ahead) else { return nil }
        self.init(units, carrier)
    }

    private init(_ units: [WeightUnit], _ carrier: any WeightCarrier) {
        self.units = units
        order = Array(units.indices)
        self.carrier = carrier
        queue = BringQueue(carrier, count: units.count)
        for (number, unit) in units.enumerated() {
            for (index, parameter) in unit.parameters.enumerated() {
                places[ObjectIdentifier(parameter)] = (number, index)
            }
        }
    }

    deinit { queue.stop() }

    /// What was done so far.
    public var counters: StreamCounters { queue.counters }

    /// Begins to bring, and says how often all units will be used one after the other.
    ///
    /// - Parameter first: names of the units at the beginning that are used in any case, if passages
    ///   may end behind them; what follows is brought when it is asked for, and nothing in vain.
    public func expect(passes: Int, endingEarlyAfter first: Set<String>? = nil) {
        let gate = first.map { first in units.prefix { first.contains($0.name) }.count }
        queue.expect(passes: passes, gate: gate)
    }

    /// Ends a passage behind its first units, as ``expect(passes:endingEarlyAfter:)`` has announced; what
    /// begins the next is brought.
    public func endEarly() { queue.endAtGate() }

    /// The values of a parameter, good until one of another unit is asked for.
    ///
    /// - Throws: `ParameterError` for a parameter of no unit; what bringing throws.
    public func weight(of parameter: Parameter) throws -> StoredWeight {
        guard let place = places[ObjectIdentifier(parameter)] else {
            throw ParameterError(key: parameter.key, reason: .absent)
        }
        if let current, current.unit == place.unit { return current.weights[place.index] }
        try closeCurrent()
        used.append(place.unit)
        let slot = try queue.take(place.unit)
        let weights: [StoredWeight]
        do {
            weights = try carrier.open(place.unit, in: slot)
        } catch {
            queue.free(slot)
            throw error
        }
        current = (place.unit, slot, weights)
        return weights[place.index]
    }

    /// Ends a passage whose order is not that of the units, such as one with gradients, and brings the
    /// next ones in the order in which this one has used them.
    public func learnOrder() throws {
        try closeCurrent()
        defer { used = [] }
        guard !used.isEmpty, used != order else { return }
        order = used
        queue.follow(used)
    }

    /// Ends the use of all units; what was brought ahead is forgotten.
    public func rest() throws {
        try closeCurrent()
        used = []
        queue.pause()
        try carrier.settle()
    }

    private func closeCurrent() throws {
        guard let open = current else { return }
        current = nil
        defer { queue.free(open.slot) }
        try carrier.close(open.unit, in: open.slot)
    }
}
