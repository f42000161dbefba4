import Foundation

/// What is in memory of a mapped file, decided page by page.
extension MappedFile {
    /// Reads a range from the disk where it is not in memory, and returns when it is.
    ///
    /// - Returns: the bytes that were not in memory before.
    @discardableResult
    public func pageIn(_ range: Range<Int>) -> Int {
        let missing = range.count - residentBytes(range)
        guard missing > 0 else { return 0 }
        advise(.willNeed, range)
        touch(range)
        return missing
    }

    /// Lets the pages of a range go: from this process, and from the system's cache as well.
    ///
    /// - Parameter fromCache: false leaves them to others, and to the next use.
    public func release(_ range: Range<Int>, fromCache: Bool) {
        advise(.dontNeed, range)
        #if os(Linux)
            guard fromCache else { return }
            let range = range.clamped(to: 0..<size)
            posix_fadvise(
                descriptor, off_t(range.lowerBound), off_t(range.count), POSIX_FADV_DONTNEED)
        #endif
    }

    /// How much of a range is in memory, in this process or not; all of it where the system does not
    /// tell.
    public func residentBytes(_ range: Range<Int>) -> Int {
        let range = range.clamped(to: 0..<size)
        guard let base = bytes.baseAddress, !range.isEmpty else { return 0 }
        let page = Int(getpagesize())
        let start = range.lowerBound / page * page
        let count = (range.upperBound - start + page - 1) / page
        var states = [UInt8](repeating: 0, count: count)
        let place = UnsafeMutableRawPointer(mutating: base + start)
        guard mincore(place, range.upperBound - start, &states) == 0 else { return range.count }
        let present = states.reduce(0) { $0 + Int($1 & 1) }
        return present == count ? range.count : min(present * page, range.count)
    }

    /// Reads a byte of each page.
    private func touch(_ range: Range<Int>) {
        let page = Int(getpagesize())
        var sum: UInt8 = 0
        for place in stride(from: range.lowerBound, to: range.upperBound, by: page) {
            sum &+= bytes[place]
        }
        withExtendedLifetime(sum) {}
    }
}
