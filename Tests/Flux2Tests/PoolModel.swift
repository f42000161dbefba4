import Torch

/// What a pool holds after a sequence of allocations, told by other code than the pool's own.
///
/// A piece comes from the smallest hole that is large enough, the first of those of one size, else
/// from the end; holes that meet become one. What is freed stays with the process up to a size. So
/// the result is more than the pieces alive at once by the holes between them.
///
/// Pieces too small for the pool are counted apart: the C library keeps what they ever took.
final class PoolModel {
    /// A piece that was given out.
    struct Piece {
        /// nil for one that is too small for the pool.
        fileprivate let start: Int?
        let bytes: Int
    }

    /// Freed pieces of this size and more go back to the system.
    private var limit: Int
    /// In the order of their places.
    private var holes: [Range<Int>] = []
    private var end = 0
    /// What counts to the process.
    private var pages = Intervals()
    private var small = (live: 0, most: 0)
    /// Bytes of the pieces that are given out now.
    private(set) var live = 0
    /// Bytes that count to the process now, holes included.
    private(set) var held = 0
    /// The most of ``live`` and ``held`` since the last call of ``beginStage()``.
    private(set) var peak = (live: 0, held: 0)

    /// - Parameter limit: the size from which freed pieces go back to the system.
    init(limit: Int = HostMemory.retainLimit) { self.limit = limit }

    /// Begins to look for the most anew; what is held stays.
    func beginStage() { peak = (live, held) }

    /// Gives out a piece, in whole pages.
    ///
    /// - Parameter used: how much of it is ever written to; nil is all.
    func take(_ bytes: Int, used: Int? = nil) -> Piece {
        defer { peak = (max(peak.live, live), max(peak.held, held)) }
        guard bytes >= MemoryPool.smallestPiece else { return takeSmall(bytes) }
        let size = (bytes + 4095) / 4096 * 4096
        let start = place(size)
        live += size
        held += fill(start..<start + size, used: used ?? size)
        return Piece(start: start, bytes: size)
    }

    /// Counts the pages of a piece that are written to: where that is a part, in stripes all over it.
    private func fill(_ piece: Range<Int>, used: Int) -> Int {
        guard used < piece.count else { return pages.insert(piece) }
        return pages.gaps(in: piece).reduce(0) { sum, gap in
            let share = Double(gap.count) * Double(used) / Double(piece.count)
            return sum + pages.insert(gap.lowerBound..<gap.lowerBound + Int(share))
        }
    }

    private func takeSmall(_ bytes: Int) -> Piece {
        small.live += bytes
        live += bytes
        held += max(0, small.live - small.most)
        small.most = max(small.most, small.live)
        return Piece(start: nil, bytes: bytes)
    }

    /// Takes pieces back, in their order.
    func give(_ pieces: Piece...) { pieces.forEach(giveOne) }

    /// Takes pieces back, in their order.
    func give(_ pieces: [Piece]) { pieces.forEach(giveOne) }

    /// Has freed pieces from a size on, and all that is free before and after, given back.
    func givingBack(from size: Int, _ body: () -> Void) {
        let former = limit
        setLimit(size)
        body()
        setLimit(former)
    }

    /// Changes the limit and gives back all that is free.
    func setLimit(_ bytes: Int) {
        limit = bytes
        for hole in holes { held -= pages.remove(hole) }
        held -= pages.remove(end..<Int.max)
    }

    private func place(_ size: Int) -> Int {
        let fitting = holes.indices.filter { holes[$0].count >= size }
        guard let found = fitting.min(by: { holes[$0].count < holes[$1].count }) else {
            end += size
            return end - size
        }
        let start = holes[found].lowerBound
        if holes[found].count == size {
            holes.remove(at: found)
        } else {
            holes[found] = start + size..<holes[found].upperBound
        }
        return start
    }

    private func giveOne(_ piece: Piece) {
        live -= piece.bytes
        guard let start = piece.start else {
            small.live -= piece.bytes
            return
        }
        var hole = start..<start + piece.bytes
        if piece.bytes >= limit { held -= pages.remove(hole) }
        var index = holes.firstIndex { $0.lowerBound > start } ?? holes.count
        if index < holes.count, holes[index].lowerBound == hole.upperBound {
            hole = start..<holes.remove(at: index).upperBound
        }
        if index > 0, holes[index - 1].upperBound == start {
            index -= 1
            hole = holes.remove(at: index).lowerBound..<hole.upperBound
        }
        if hole.upperBound == end {
            end = hole.lowerBound
        } else {
            holes.insert(hole, at: index)
        }
    }
}

/// A set of numbers as ranges that do not meet, in an array.
struct Intervals {
    /// In their order.
    private var ranges: [Range<Int>] = []

    /// The first of the ranges that end behind `place`.
    private func index(behind place: Int) -> Int {
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound > place { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// Adds all numbers of a range.
    ///
    /// - Returns: how many of them are new.
    mutating func insert(_ range: Range<Int>) -> Int {
        let count = range.count - remove(range)
        guard !range.isEmpty else { return 0 }
        var merged = range
        var at = index(behind: range.lowerBound)
        if at < ranges.count, ranges[at].lowerBound == range.upperBound {
            merged = merged.lowerBound..<ranges.remove(at: at).upperBound
        }
        if at > 0, ranges[at - 1].upperBound == range.lowerBound {
            at -= 1
            merged = ranges.remove(at: at).lowerBound..<merged.upperBound
        }
        ranges.insert(merged, at: at)
        return count
    }

    /// What of a range is not in.
    func gaps(in range: Range<Int>) -> [Range<Int>] {
        var gaps: [Range<Int>] = []
        var start = range.lowerBound
        for found in ranges[index(behind: start)...].prefix(while: {
            $0.lowerBound < range.upperBound
        }) {
            if found.lowerBound > start { gaps.append(start..<found.lowerBound) }
            start = found.upperBound
        }
        return start < range.upperBound ? gaps + [start..<range.upperBound] : gaps
    }

    /// Takes all numbers of a range out.
    ///
    /// - Returns: how many of them were in.
    mutating func remove(_ range: Range<Int>) -> Int {
        let first = index(behind: range.lowerBound)
        var (last, count) = (first, 0)
        var rest: [Range<Int>] = []
        while last < ranges.count, ranges[last].lowerBound < range.upperBound {
            let found = ranges[last]
            count += found.clamped(to: range).count
            rest += [
                found.lowerBound..<max(found.lowerBound, range.lowerBound),
                min(found.upperBound, range.upperBound)..<found.upperBound,
            ]
            last += 1
        }
        ranges.replaceSubrange(first..<last, with: rest.filter { !$0.isEmpty })
        return count
    }
}
