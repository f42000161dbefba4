internal import CTorch

/// Counts the memory that a computation would take, by running it on ``Device/Kind/meta``: the same code with
/// tensors that have shapes and no values.
///
/// Blocks are placed as ``MemoryPool`` places them, so the result includes the holes between blocks. Blocks
/// too small for the pool are added up beside, at their most.
public final class AllocationCounter {
    private let raw: ct_counter

    /// - Parameters:
    ///   - kind: the device that the computation would run on; its kernels and their scratch are counted.
    ///   - threads: threads of one operation, which may each have scratch of their own.
    ///   - limit: the size from which freed blocks go back to the system, in bytes.
    public init(
        standingFor kind: Device.Kind, threads: Int = Runtime.threads,
        limit: Int = HostMemory.retainLimit
    ) {
        raw = ct_counter_create(limit, Device(kind).raw.type, Int32(clamping: threads))
    }

    deinit { ct_counter_release(raw) }

    /// Counts what this thread allocates on the meta device while `body` runs, and computes nothing there.
    public func counting<Result>(_ body: () throws -> Result) rethrows -> Result {
        let former = ct_counter_begin(raw)
        defer { ct_counter_end(former) }
        return try body()
    }

    /// What is allocated and held now, and the most of it, in bytes.
    public var usage: MemoryPool.Usage { MemoryPool.Usage(ct_counter_use(raw)) }

    /// Starts to look for the most anew.
    public func resetPeaks() { ct_counter_reset_peaks(raw) }

    /// Has freed blocks from this size on given back, and at once all that is free.
    func setLimit(_ bytes: Int) { ct_counter_set_limit(raw, bytes) }

    /// Runs `body` with tensors that have values, and tells what it allocates on the processor at most, in
    /// bytes above what was there before; for tests.
    package static func measuring<Result>(
        _ body: () throws -> Result
    ) throws -> (result: Result, peak: Int) {
        var outcome: Swift.Result<Result, any Error>?
        var peak: Int64 = 0
        try withoutActuallyEscaping({ outcome = Swift.Result { try body() } }) { run in
            let status = withUnsafePointer(to: run) { closure in
                ct_measure_allocations(
                    { $0?.assumingMemoryBound(to: (() -> Void).self).pointee() },
                    UnsafeMutableRawPointer(mutating: closure), &peak)
            }
            try check(status)
        }
        guard let outcome else { preconditionFailure("the body did not run") }
        return (try outcome.get(), Int(peak))
    }

    /// Changes the limit of this thread's counter while `body` runs; nil where it has none.
    static func withLimit<Result>(_ limit: Int, _ body: () throws -> Result) rethrows -> Result? {
        guard let current = ct_counter_current() else { return nil }
        ct_counter_set_limit(current, limit)
        defer { ct_counter_set_limit(current, HostMemory.retainLimit) }
        return try body()
    }
}

extension Device {
    /// No memory at all.
    public static let meta = Device(.meta)

    /// The kind of device whose kernels compute here: another one than ``kind`` where memory is counted.
    public var computesAs: Kind {
        kind == .meta ? Device(ct_device(type: ct_counter_stands_for(), index: -1)).kind : kind
    }
}
