/// A set of numbers as ranges that do not meet, as CTorch's pool has it.
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
