internal import CTorch

/// Large pieces of the processor's memory: what is freed stays for what is asked next.
///
/// A piece comes from the smallest hole that is large enough, so a sequence of the same sizes takes
/// the same memory each time.
public final class MemoryPool: Sendable {
    /// What a pool has given out, in bytes.
    public struct Usage: Hashable, Sendable {
        /// Pieces that are given out.
        public var live = 0
        /// Those, and what is kept for the next.
        public var held = 0
        /// The most that was ``live`` since the start or the last reset.
        public var peakLive = 0
        /// The most that was ``held`` since the start or the last reset.
        public var peakHeld = 0
    }

    /// Tensors of this size and more come from the pool, in bytes.
    public static let smallestPiece = Int(CT_POOL_SMALLEST)

    private nonisolated(unsafe) let pool: ct_pool
    private let isShared: Bool

    /// What tensors come from; nil before ``HostMemory/installPool()`` and where there is no pool.
    static var shared: MemoryPool? { ct_pool_shared().map { MemoryPool($0, isShared: true) } }

    private init(_ pool: ct_pool, isShared: Bool) {
        self.pool = pool
        self.isShared = isShared
    }

    /// One that no tensor comes from; nil where there is none.
    ///
    /// - Parameter limit: the size from which freed pieces go back to the system.
    convenience init?(limit: Int) {
        guard let pool = ct_pool_create(limit) else { return nil }
        self.init(pool, isShared: false)
    }

    deinit {
        if !isShared { ct_pool_release(pool) }
    }

    /// What is given out and held now, and the most of it.
    public var usage: Usage {
        Usage(ct_pool_use(pool))
    }

    /// Begins to look for the most anew.
    public func resetPeaks() { ct_pool_reset_peaks(pool) }

    func take(_ bytes: Int) -> UnsafeMutableRawPointer? { ct_pool_take(pool, bytes) }
    func give(_ piece: UnsafeMutableRawPointer) { ct_pool_give(pool, piece) }

    /// Has freed pieces from this size on given back, and at once all that is free.
    func setLimit(_ bytes: Int) { ct_pool_set_limit(pool, bytes) }
}

extension MemoryPool.Usage {
    init(_ use: ct_pool_usage) {
        self.init(
            live: use.live, held: use.held, peakLive: use.peak_live, peakHeld: use.peak_held)
    }
}
