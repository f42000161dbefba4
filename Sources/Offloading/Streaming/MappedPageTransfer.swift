internal import Checkpoints
internal import Synchronization
internal import Torch

/// Leaves weights in their mapped files and sees to it that their pages are in memory when they are
/// used, and not much longer.
final class MappedPageTransfer: WeightTransfer {
    let slots: Int
    private let pieces: [[ReadAhead.Piece]]
    private let kept: Set<Int>
    private let bounded: Bool
    nonisolated(unsafe) private let weights: [[StoredWeight]]
    /// Groups whose pages came into memory through this process, and have to go by it.
    private let own = Mutex<Set<Int>>([])

    init(_ groups: [WeightGroup], kept: Set<Int>, ahead: Int, bounded: Bool) {
        slots = ahead + 1
        self.kept = kept
        self.bounded = bounded
        weights = groups.map(\.weights)
        pieces = groups.map(\.pieces)
    }

    func load(_ group: Int, into slot: Int) throws -> (moved: Int, read: Int) {
        let read = pieces[group].reduce(0) { $0 + $1.file.pageIn($1.info) }
        if read > 0 { own.withLock { _ = $0.insert(group) } }
        return (0, read)
    }

    func open(_ group: Int, in slot: Int) throws -> [StoredWeight] { weights[group] }

    func close(_ group: Int, in slot: Int) throws {
        guard !kept.contains(group) else { return }
        let isOwn = own.withLock { $0.remove(group) != nil }
        guard isOwn || bounded else { return }
        for piece in pieces[group] { piece.file.release(piece.info, fromCache: isOwn) }
    }

    func settle() throws {
        guard bounded else { return }
        for group in kept {
            let isOwn = own.withLock { $0.remove(group) != nil }
            for piece in pieces[group] { piece.file.release(piece.info, fromCache: isOwn) }
        }
    }
}
