public import Torch

/// Loads the weights of a model while it computes, a few groups ahead of their use.
///
/// Groups are used in their order, forward pass after forward pass, which may end early; a group that is
/// asked for out of order is loaded all the same, and what follows it after that.
public final class WeightStream: WeightProvider {
    /// In the order of their use.
    public let groups: [WeightGroup]
    private let transfer: any WeightTransfer
    private let queue: PrefetchQueue
    private var places: [ObjectIdentifier: (group: Int, index: Int)] = [:]
    private var current: (group: Int, slot: Int, weights: [StoredWeight])?
    /// The order that groups are loaded in, and the one in which they have been used.
    private var order: [Int]
    private var used: [Int] = []

    /// Loads groups to slots in a device's memory.
    ///
    /// - Parameters:
    ///   - slots: at least 2, so that one is filled while another is used.
    ///   - pinned: bytes of weights to keep in memory that the device reads by itself.
    ///   - releases: whether what had to be read from the disk leaves memory after its copy.
    ///   - poisons: whether what was used is overwritten at once, so that a use too late shows.
    public convenience init(
        _ groups: [WeightGroup], device: Device, slots: Int, pinned: Int = 0,
        releases: Bool = false,
        poisons: Bool = false
    ) throws {
        let transfer = try DeviceBufferTransfer(
            groups, device: device, slots: slots, pinned: pinned, releases: releases,
            poisons: poisons)
        self.init(groups, transfer)
    }

    /// Leaves groups where they are mapped, and has their pages there when they are used.
    ///
    /// - Parameters:
    ///   - kept: groups whose pages stay; those of others go after their use.
    ///   - ahead: how many groups are read before they are used.
    ///   - bounded: whether pages that others have read leave this process, too.
    public convenience init(
        inPlace groups: [WeightGroup], kept: Set<Int>, ahead: Int = 1, bounded: Bool
    ) {
        self.init(groups, MappedPageTransfer(groups, kept: kept, ahead: ahead, bounded: bounded))
    }

    /// Reads groups from the disk into buffers, past the system's cache.
    ///
    /// - Parameter kept: groups that stay where they are mapped.
    /// - Returns: nil where files cannot be read so.
    public convenience init?(
        reading groups: [WeightGroup], kept: Set<Int>, ahead: Int = 1
    ) throws {
        guard let transfer = try DirectIOTransfer(groups, kept: kept, ahead: ahead) else {
            return nil
        }
        self.init(groups, transfer)
    }

    private init(_ groups: [WeightGroup], _ transfer: any WeightTransfer) {
        self.groups = groups
        order = Array(groups.indices)
        self.transfer = transfer
        queue = PrefetchQueue(transfer, count: groups.count)
        for (number, group) in groups.enumerated() {
            for (index, parameter) in group.parameters.enumerated() {
                places[ObjectIdentifier(parameter)] = (number, index)
            }
        }
    }

    deinit { queue.stop() }

    /// What was done so far.
    public var counters: StreamCounters { queue.counters }

    /// Begins to load, and says how often all groups will be used one after the other.
    ///
    /// - Parameter first: names of the groups at the beginning that are used in any case, if forward passes
    ///   may end behind them; what follows is loaded when it is asked for, and nothing in vain.
    public func expect(passes: Int, endingEarlyAfter first: Set<String>? = nil) {
        let gate = first.map { first in groups.prefix { first.contains($0.name) }.count }
        queue.expect(passes: passes, gate: gate)
    }

    /// Ends a forward pass behind its first groups, as ``expect(passes:endingEarlyAfter:)`` has announced;
    /// what begins the next is loaded.
    public func endEarly() { queue.endAtGate() }

    /// The values of a parameter, good until one of another group is asked for.
    ///
    /// - Throws: `ParameterError` for a parameter of no group; what loading throws.
    public func weight(of parameter: Parameter) throws -> StoredWeight {
        guard let place = places[ObjectIdentifier(parameter)] else {
            throw ParameterError(key: parameter.key, reason: .absent)
        }
        if let current, current.group == place.group { return current.weights[place.index] }
        try closeCurrent()
        used.append(place.group)
        let slot = try queue.take(place.group)
        let weights: [StoredWeight]
        do {
            weights = try transfer.open(place.group, in: slot)
        } catch {
            queue.free(slot)
            throw error
        }
        current = (place.group, slot, weights)
        return weights[place.index]
    }

    /// Ends a forward pass whose order is not that of the groups, such as one with gradients, and loads the
    /// next ones in the order in which this one has used them.
    public func learnOrder() throws {
        try closeCurrent()
        defer { used = [] }
        guard !used.isEmpty, used != order else { return }
        order = used
        queue.reorder(used)
    }

    /// Ends the use of all groups; what was loaded ahead is forgotten.
    public func rest() throws {
        try closeCurrent()
        used = []
        queue.pause()
        try transfer.settle()
    }

    private func closeCurrent() throws {
        guard let open = current else { return }
        current = nil
        defer { queue.free(open.slot) }
        try transfer.close(open.group, in: open.slot)
    }
}
