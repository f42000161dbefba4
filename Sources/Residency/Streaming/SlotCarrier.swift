internal import Foundation
internal import Safetensors
internal import Torch

/// Copies units into slots of equal size in a device's memory.
final class SlotCarrier: WeightCarrier {
    let slots: Int
    private let layouts: [UnitLayout]
    private let device: Device
    private let copier: Copier?
    private let poisons: Bool
    private let releases: Bool
    private let pieces: [[ReadAhead.Piece]]
    private let host: HostImages
    /// Tensors belong to the thread that computes; the other only takes their addresses.
    nonisolated(unsafe) private let memory: [Tensor]
    nonisolated(unsafe) private let addresses: [UnsafeMutableRawPointer]
    nonisolated(unsafe) private let weights: [[StoredWeight]]

    init(
        _ units: [WeightUnit], device: Device, slots: Int, pinned: Int, releases: Bool,
        poisons: Bool
    ) throws {
        precondition(slots >= 2, "\(slots) slots")
        self.slots = slots
        self.device = device
        self.poisons = poisons
        self.releases = releases
        pieces = units.map(\.pieces)
        weights = units.map(\.weights)
        let layouts = try units.map(UnitLayout.init)
        self.layouts = layouts
        let size = layouts.map(\.byteCount).max() ?? 0
        memory = try (0..<slots).map { _ in
            try Tensor.empty([size], dtype: .uint8, device: device)
        }
        addresses = try memory.map { try $0.address() }
        copier = device.kind == .cpu ? nil : try Copier(device: device, slots: slots)
        // What used this memory before may still be computing.
        for slot in 0..<slots { try copier?.didUse(slot) }
        host = HostImages(
            units: units.count, pinned: pinned,
            bounces: device.kind == .cpu ? 0 : slots, bounceSize: size)
    }

    func bring(_ unit: Int, into slot: Int) throws -> (moved: Int, read: Int) {
        let layout = layouts[unit]
        let target = addresses[slot]
        try copier?.willFill(slot)
        var read = 0
        if let image = host.image(of: unit) {
            try copy(image.bytes.baseAddress, to: target, layout.byteCount)
        } else {
            read = pieces[unit].reduce(0) { $0 + $1.file.bring($1.info) }
            try copyFromFiles(unit, to: target, slot)
            // What came from the disk for this copy alone need not take up memory.
            if read > 0, releases {
                for piece in pieces[unit] { piece.file.release(piece.info, fromCache: true) }
            }
        }
        try copier?.didFill(slot)
        return (layout.byteCount, read)
    }

    private func copyFromFiles(
        _ unit: Int, to target: UnsafeMutableRawPointer, _ slot: Int
    ) throws {
        let layout = layouts[unit]
        if let image = host.newImage(of: unit, layout) {
            try copy(image.bytes.baseAddress, to: target, layout.byteCount)
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

    func open(_ unit: Int, in slot: Int) throws -> [StoredWeight] {
        try copier?.willUse(slot)
        var offsets = layouts[unit].pieces.map(\.offset)[...]
        return try weights[unit].map { weight in
            try weight.replacing(
                weight.tensors.map { tensor in
                    let offset = offsets.removeFirst()
                    return try memory[slot].slice(offset..<offset + tensor.byteCount, along: 0)
                        .bitcast(to: tensor.dtype).reshaped(tensor.shape)
                })
        }
    }

    func close(_ unit: Int, in slot: Int) throws {
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

/// Where the tensors of a unit lie in a slot.
private struct UnitLayout: Sendable {
    struct Piece: Sendable {
        nonisolated(unsafe) var source: UnsafeRawPointer
        var count: Int
        var offset: Int
    }

    private(set) var pieces: [Piece] = []
    private(set) var byteCount = 0

    init(_ unit: WeightUnit) throws {
        for tensor in unit.weights.flatMap(\.tensors) {
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

/// Units in memory that a device reads by itself: for good as far as there is room, else on their
/// way. Used by the thread that brings, and by no other.
private final class HostImages: Sendable {
    nonisolated(unsafe) private var images: [HostSlab?]
    nonisolated(unsafe) private var room: Int
    private let bounces: [HostSlab]

    init(units: Int, pinned: Int, bounces: Int, bounceSize: Int) {
        images = Array(repeating: nil, count: units)
        room = pinned
        self.bounces = (0..<bounces).map { _ in HostSlab(byteCount: bounceSize, pinned: true) }
    }

    func image(of unit: Int) -> HostSlab? { images[unit] }

    func newImage(of unit: Int, _ layout: UnitLayout) -> HostSlab? {
        guard layout.byteCount <= room else { return nil }
        let image = HostSlab(byteCount: layout.byteCount, pinned: true)
        layout.write(to: image.bytes.baseAddress)
        room -= layout.byteCount
        images[unit] = image
        return image
    }

    func bounce(_ slot: Int) -> HostSlab? { bounces.isEmpty ? nil : bounces[slot] }
}
