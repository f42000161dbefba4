internal import Safetensors
internal import Synchronization
internal import Torch

/// Leaves weights in their mapped files and sees to it that their pages are in memory when they are
/// used, and not much longer.
final class PageCarrier: WeightCarrier {
    let slots: Int
    private let pieces: [[ReadAhead.Piece]]
    private let kept: Set<Int>
    private let bounded: Bool
    nonisolated(unsafe) private let weights: [[StoredWeight]]
    /// Units whose pages came into memory through this process, and have to go by it.
    private let own = Mutex<Set<Int>>([])

    init(_ units: [WeightUnit], kept: Set<Int>, ahead: Int, bounded: Bool) {
        slots = ahead + 1
        self.kept = kept
        self.bounded = bounded
        weights = units.map(\.weights)
        pieces = units.map(\.pieces)
    }

    func bring(_ unit: Int, into slot: Int) throws -> (moved: Int, read: Int) {
        let read = pieces[unit].reduce(0) { $0 + $1.file.bring($1.info) }
        if read > 0 { own.withLock { _ = $0.insert(unit) } }
        return (0, read)
    }

    func open(_ unit: Int, in slot: Int) throws -> [StoredWeight] { weights[unit] }

    func close(_ unit: Int, in slot: Int) throws {
        guard !kept.contains(unit) else { return }
        let isOwn = own.withLock { $0.remove(unit) != nil }
        guard isOwn || bounded else { return }
        for piece in pieces[unit] { piece.file.release(piece.info, fromCache: isOwn) }
    }

    func settle() throws {
        guard bounded else { return }
        for unit in kept {
            let isOwn = own.withLock { $0.remove(unit) != nil }
            for piece in pieces[unit] { piece.file.release(piece.info, fromCache: isOwn) }
        }
    }
}
