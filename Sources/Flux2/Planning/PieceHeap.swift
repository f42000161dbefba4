/// Memory given out in pieces from a heap that grows at its end: what a sequence of allocations costs,
/// without making any.
///
/// A piece comes from the smallest hole that is large enough, else from the end; holes that meet
/// become one. What is freed stays with the process up to a size, as ``HostMemory`` has it. So the
/// result is more than the pieces alive at once by the holes between them.
final class PieceHeap {
    /// A piece that was given out.
    struct Piece {
        fileprivate let start: Int
        let bytes: Int
        /// Bytes that the system counts to the process.
        fileprivate let touched: Int
    }

    private struct Hole {
        var start: Int
        var bytes: Int
        /// Bytes that the system still counts to the process, from the start of the hole.
        var touched: Int
        var end: Int { start + bytes }
    }

    /// Freed pieces of this size and more go back to the system.
    private var limit: Int
    /// In the order of their places.
    private var holes: [Hole] = []
    private var end = 0
    private var touchedPastEnd = 0
    /// Bytes of the pieces that are given out now.
    private(set) var live = 0
    /// Bytes that count to the process now, holes included.
    private(set) var held = 0
    /// The most of ``live`` and ``held`` since the last call of ``beginStage()``.
    private(set) var peak = (live: 0, held: 0)

    /// - Parameter limit: the size from which freed pieces go back to the system.
    init(limit: Int = 256 << 20) { self.limit = limit }

    /// Begins to look for the most anew; what is held stays.
    func beginStage() { peak = (live, held) }

    /// Gives out a piece, in whole pages.
    ///
    /// - Parameter used: how much of it is ever written to; nil is all.
    func take(_ bytes: Int, used: Int? = nil) -> Piece {
        let size = (bytes + 4095) / 4096 * 4096
        let (start, touched) = place(size, used: min(used ?? size, size))
        let piece = Piece(start: start, bytes: size, touched: touched)
        live += size
        peak = (max(peak.live, live), max(peak.held, held))
        return piece
    }

    /// Takes pieces back, in their order.
    func give(_ pieces: Piece...) { pieces.forEach(giveOne) }

    /// Takes pieces back, in their order.
    func give(_ pieces: [Piece]) { pieces.forEach(giveOne) }

    /// Has freed pieces from a size on, and all that is free before and after, given back.
    func givingBack(from size: Int, _ body: () -> Void) {
        let former = limit
        limit = size
        giveBackAll()
        body()
        limit = former
        giveBackAll()
    }

    private func giveBackAll() {
        holes.indices.forEach { holes[$0].touched = 0 }
        touchedPastEnd = 0
        held = live
    }

    /// What of a piece counts to the process: threads write to parts all over it.
    private static func touched(_ used: Int, of size: Int, before: Int) -> Int {
        let before = min(size, before)
        return before + Int(Double(size - before) * Double(used) / Double(max(size, 1)))
    }

    private func place(_ size: Int, used: Int) -> (start: Int, touched: Int) {
        let fitting = holes.indices.filter { holes[$0].bytes >= size }
        guard let found = fitting.min(by: { holes[$0].bytes < holes[$1].bytes }) else {
            let touched = Self.touched(used, of: size, before: touchedPastEnd)
            held += max(0, touched - touchedPastEnd)
            touchedPastEnd = max(0, touchedPastEnd - size)
            end += size
            return (end - size, touched)
        }
        let hole = holes[found]
        let touched = Self.touched(used, of: size, before: hole.touched)
        held += max(0, touched - hole.touched)
        if hole.bytes == size {
            holes.remove(at: found)
        } else {
            holes[found] = Hole(
                start: hole.start + size, bytes: hole.bytes - size,
                touched: max(0, hole.touched - size))
        }
        return (hole.start, touched)
    }

    private func giveOne(_ piece: Piece) {
        live -= piece.bytes
        let stays = piece.bytes < limit
        if !stays { held -= piece.touched }
        var hole = Hole(
            start: piece.start, bytes: piece.bytes, touched: stays ? piece.touched : 0)
        var index = holes.firstIndex { $0.start > piece.start } ?? holes.count
        if index < holes.count, holes[index].start == hole.end {
            let next = holes.remove(at: index)
            hole.bytes += next.bytes
            hole.touched += next.touched
        }
        if index > 0, holes[index - 1].end == hole.start {
            index -= 1
            let former = holes.remove(at: index)
            hole.start = former.start
            hole.bytes += former.bytes
            hole.touched += former.touched
        }
        if hole.end == end {
            end = hole.start
            touchedPastEnd += hole.touched
        } else {
            holes.insert(hole, at: index)
        }
    }
}
