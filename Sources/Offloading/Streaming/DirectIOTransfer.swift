internal import FileSupport
internal import Foundation
internal import Checkpoints
internal import Torch

/// Reads groups from the disk into a few buffers of this process, past the system's page cache.
///
/// Where weights are larger than memory, each is gone from the cache before it is used again; then
/// keeping it there is work for nothing. Groups that stay are mapped.
final class DirectIOTransfer: WeightTransfer {
    let slots: Int
    private let kept: Set<Int>
    private let pieces: [[ReadAhead.Piece]]
    private let layouts: [DirectLayout]
    private let buffers: [HostSlab]
    /// Tensors belong to the thread that computes.
    nonisolated(unsafe) private let memory: [Tensor]
    nonisolated(unsafe) private let weights: [[StoredWeight]]

    /// - Returns: nil where files cannot be read so.
    init?(_ groups: [WeightGroup], kept: Set<Int>, ahead: Int) throws {
        var files: [String: DirectFile] = [:]
        for path in Set(groups.flatMap(\.pieces).map(\.file.path)) {
            guard let file = DirectFile(path: path) else { return nil }
            files[path] = file
        }
        let slots = ahead + 1
        self.slots = slots
        self.kept = kept
        pieces = groups.map(\.pieces)
        weights = groups.map(\.weights)
        let layouts = try groups.map { try DirectLayout($0, files) }
        self.layouts = layouts
        let size =
            layouts.enumerated().filter { !kept.contains($0.offset) }
            .map(\.element.byteCount).max() ?? 0
        buffers = (0..<slots).map { _ in HostSlab(byteCount: size, pinned: false) }
        memory = try buffers.map { try .showing($0) }
    }

    func load(_ group: Int, into slot: Int) throws -> (moved: Int, read: Int) {
        guard !kept.contains(group) else {
            return (0, pieces[group].reduce(0) { $0 + $1.file.pageIn($1.info) })
        }
        let read = try layouts[group].read(into: buffers[slot])
        return (read, read)
    }

    func open(_ group: Int, in slot: Int) throws -> [StoredWeight] {
        guard !kept.contains(group) else { return weights[group] }
        var places = layouts[group].places[...]
        return try weights[group].map { weight in
            try weight.replacing(
                weight.tensors.map { tensor in
                    guard let start = places.removeFirst() else { return tensor }
                    return try memory[slot].slice(start..<start + tensor.byteCount, along: 0)
                        .bitcast(to: tensor.dtype).reshaped(tensor.shape)
                })
        }
    }

    func close(_ group: Int, in slot: Int) throws {}

    func settle() throws {}
}

/// Where the tensors of a group are in files, and where they go in a buffer.
private struct DirectLayout: Sendable {
    private struct Piece: Sendable {
        var file: DirectFile
        /// Aligned.
        var range: Range<Int>
        var needed: Int
        var offset: Int
    }

    private var pieces: [Piece] = []
    /// The start of each tensor in the buffer; nil for one that is in memory already.
    private(set) var places: [Int?] = []
    private(set) var byteCount = 0

    init(_ group: WeightGroup, _ files: [String: DirectFile]) throws {
        let mapped = group.pieces.map(\.file.mapped)
        for tensor in group.weights.flatMap(\.tensors) {
            let address = UnsafeRawPointer(try tensor.address())
            let home = mapped.first { file in
                guard let base = file.bytes.baseAddress else { return false }
                return address >= base && address < base + file.size
            }
            guard let home, let base = home.bytes.baseAddress, let file = files[home.path] else {
                places.append(nil)
                continue
            }
            add(file, address - base, tensor.byteCount)
        }
    }

    private mutating func add(_ file: DirectFile, _ start: Int, _ count: Int) {
        let step = DirectFile.alignment
        let lower = start / step * step
        let upper = (start + count + step - 1) / step * step
        pieces.append(
            Piece(file: file, range: lower..<upper, needed: start + count, offset: byteCount))
        places.append(byteCount + start - lower)
        byteCount += upper - lower
    }

    /// - Returns: the bytes that were read.
    func read(into buffer: HostSlab) throws -> Int {
        guard let base = buffer.bytes.baseAddress else { return 0 }
        for piece in pieces {
            try piece.file.read(piece.range, needed: piece.needed, into: base + piece.offset)
        }
        return pieces.reduce(0) { $0 + $1.range.count }
    }
}
