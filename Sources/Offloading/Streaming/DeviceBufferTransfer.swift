internal import Foundation
internal import Checkpoints
internal import Torch

/// Copies groups into slots of equal size in a device's memory.
final class DeviceBufferTransfer: WeightTransfer {
    let slots: Int
    private let layouts: [GroupLayout]
    private let device: Device
    private let copier: Copier?
    private let poisons: Bool
    private let releases: Bool
    private let pieces: [[ReadAhead.Piece]]
    private let host: HostCopies
    /// Tensors belong to the thread that computes; the other only takes their addresses.
    nonisolated(unsafe) private let memory: [Tensor]
    nonisolated(unsafe) private let addresses: [UnsafeMutableRawPointer]
    nonisolated(unsafe) private let weights: [[StoredWeight]]

    init(
        _ groups: [WeightGroup], device: Device, slots: Int, pinned: Int, releases: Bool,
        poisons: Bool
    ) throws {
        precondition(slots >= 2, "\(slots) slots")
        self.slots = slots
        self.device = device
        self.poisons = poisons
        self.releases = releases
        pieces = groups.map(\.pieces)
        weights = groups.map(\.weights)
        let layouts = try groups.map(GroupLayout.init)
        self.layouts = layouts
        let size = layouts.map(\.byteCount).max() ?? 0
        memory = try (0..<slots).map { _ in
            try Tensor.empty([size], dtype: .uint8, device: device)
        }
        addresses = try memory.map { try $0.address() }
        copier = device.kind == .cpu ? nil : try Copier(device: device, slots: slots)
        // What used this memory before may still be computing.
        for slot in 0..<slots { try copier?.didUse(slot) }
        host = HostCopies(
            groups: groups.count, pinned: pinned,
            bounces: device.kind == .cpu ? 0 : slots, bounceSize: size)
    }

    func load(_ group: Int, into slot: Int) throws -> (moved: Int, read: Int) {
        let layout = layouts[group]
        let target = addresses[slot]
        try copier?.willFill(slot)
        var read = 0
        if let hostCopy = host.hostCopy(of: group) {
            try copy(hostCopy.bytes.baseAddress, to: target, layout.byteCount)
        } else {
            read = pieces[group].reduce(0) { $0 + $1.file.pageIn($1.info) }
            try copyFromFiles(group, to: target, slot)
            // What came from the disk for this copy alone need not take up memory.
            if read > 0, releases {
                for piece in pieces[group] { piece.file.release(piece.info, fromCache: true) }
            }
        }
        try copier?.didFill(slot)
        return (layout.byteCount, read)
    }

    private func copyFromFiles(
        _ group: Int, to target: UnsafeMutableRawPointer, _ slot: Int
    ) throws {
        let layout = layouts[group]
        if let hostCopy = host.makeCopy(of: group, layout) {
            try copy(hostCopy.bytes.baseAddress, to: target, layout.byteCount)
        } else if let bounce = host.bounce(slot) {
            // The device may still be reading what lies there.
            try copier?.settle(slot)
            layout.write(to: bounce.bytes.baseAddress)
            try copy(bounce.bytes.baseAddress, to: target, layout.byteCount)
        } else {
            layout.write(to: target)
        }
    }

    private func copy(
        _ source: UnsafeMutableRawPointer?, to target: UnsafeMutableRawPointer, _ count: Int
    ) throws {
        guard let source else { return }
        guard let copier else { return target.copyMemory(from: source, byteCount: count) }
        try copier.copy(from: source, to: target, count: count)
    }

    func open(_ group: Int, in slot: Int) throws -> [StoredWeight] {
        try copier?.willUse(slot)
        var offsets = layouts[group].pieces.map(\.offset)[...]
        return try weights[group].map { weight in
            try weight.replacing(
                weight.tensors.map { tensor in
                    let offset = offsets.removeFirst()
                    return try memory[slot].slice(offset..<offset + tensor.byteCount, along: 0)
                        .bitcast(to: tensor.dtype).reshaped(tensor.shape)
                })
        }
    }

    func close(_ group: Int, in slot: Int) throws {
        // 255 is NaN in every floating-point type.
        if poisons {
            try memory[slot].assign(.full([1], 255, dtype: .uint8, device: device))
        }
        try copier?.didUse(slot)
    }

    func settle() throws { try Runtime.synchronize(device) }

    deinit {
        // Copies that are under way read from memory that goes now.
        try? settle()
    }
}

/// Where the tensors of a group lie in a slot.
private struct GroupLayout: Sendable {
    struct Piece: Sendable {
        nonisolated(unsafe) var source: UnsafeRawPointer
        var count: Int
        var offset: Int
    }

    private(set) var pieces: [Piece] = []
    private(set) var byteCount = 0

    init(_ group: WeightGroup) throws {
        for tensor in group.weights.flatMap(\.tensors) {
            pieces.append(
                Piece(
                    source: UnsafeRawPointer(try tensor.address()), count: tensor.byteCount,
                    offset: byteCount))
            // Devices read fastest what begins at a multiple of 256 bytes.
            byteCount += (tensor.byteCount + 255) / 256 * 256
        }
    }

    /// Copies all tensors to their places, large ones by several threads.
    func write(to base: UnsafeMutableRawPointer?) {
        guard let base else { return }
        let step = 16 << 20
        let parts = pieces.flatMap { piece in
            stride(from: 0, to: piece.count, by: step).map { start in
                Piece(
                    source: piece.source + start, count: min(step, piece.count - start),
                    offset: piece.offset + start)
            }
        }
        nonisolated(unsafe) let target = base
        DispatchQueue.concurrentPerform(iterations: parts.count) { index in
            let part = parts[index]
            (target + part.offset).copyMemory(from: part.source, byteCount: part.count)
        }
    }
}

/// Groups in memory that a device reads by itself: for good as far as there is room, else on their
/// way. Used by the thread that loads, and by no other.
private final class HostCopies: Sendable {
    nonisolated(unsafe) private var copies: [HostSlab?]
    nonisolated(unsafe) private var room: Int
    private let bounces: [HostSlab]

    init(groups: Int, pinned: Int, bounces: Int, bounceSize: Int) {
        copies = Array(repeating: nil, count: groups)
        room = pinned
        self.bounces = (0..<bounces).map { _ in HostSlab(byteCount: bounceSize, pinned: true) }
    }

    func hostCopy(of group: Int) -> HostSlab? { copies[group] }

    func makeCopy(of group: Int, _ layout: GroupLayout) -> HostSlab? {
        guard layout.byteCount <= room else { return nil }
        let hostCopy = HostSlab(byteCount: layout.byteCount, pinned: true)
        layout.write(to: hostCopy.bytes.baseAddress)
        room -= layout.byteCount
        copies[group] = hostCopy
        return hostCopy
    }

    func bounce(_ slot: Int) -> HostSlab? { bounces.isEmpty ? nil : bounces[slot] }
}
