internal import CTorch
import Foundation
import Synchronization

/// The memory of this process and of the machine, in bytes.
public enum HostMemory {
    /// Memory of this process.
    public struct Usage: Hashable, Sendable {
        /// Pages in memory, mapped files included.
        public var resident = 0
        /// Pages that belong to this process alone; mapped weights are not among them.
        public var `private` = 0
    }

    /// What this process holds now; zeros where the system does not tell.
    public static func usage() -> Usage {
        let fields = kilobyteFields(of: "/proc/self/status")
        return Usage(
            resident: fields["VmRSS"] ?? 0,
            private: (fields["RssAnon"] ?? 0) + (fields["RssShmem"] ?? 0))
    }

    /// The most pages that were ever in memory, mapped files included.
    public static func peakResident() -> Int {
        kilobyteFields(of: "/proc/self/status")["VmHWM"] ?? 0
    }

    /// Has large tensors come from a pool that keeps what is freed for what is asked next, for the
    /// rest of the process; nothing where there is none, which is all but Linux.
    ///
    /// By default every large tensor is fetched from the system and given back, and the system
    /// clears its pages each time: a fifth of the time that a decoder takes. What memory is needed
    /// can be told in advance only with the pool. Call it before anything is computed.
    public static func installPool() { ct_pool_install(retainLimit) }

    /// What large tensors come from; nil before ``installPool()`` and where there is no pool.
    public static var pool: MemoryPool? { .shared }

    /// Has everything of some size given back while `body` runs, at the cost of some speed: pieces
    /// of many sizes would leave gaps between them as large as they are.
    public static func trimmingPool<Result>(_ body: () throws -> Result) rethrows -> Result {
        if let result = try AllocationCounter.withLimit(trimLimit, body) { return result }
        guard let pool else { return try body() }
        pool.setLimit(trimLimit)
        defer { pool.setLimit(retainLimit) }
        return try body()
    }

    /// The size from which freed pieces go back to the system.
    public static let retainLimit = 256 << 20
    /// The same while memory is scarce.
    public static let trimLimit = 4 << 20

    /// What this process may take: of the machine, or of the group that it was put into.
    static func figures() throws -> (free: Int, total: Int) {
        let fields = kilobyteFields(of: "/proc/meminfo")
        let total = fields["MemTotal"] ?? Int(clamping: ProcessInfo.processInfo.physicalMemory)
        let free = fields["MemAvailable"] ?? total
        guard let group = Cgroup.current() else { return (free, total) }
        return (min(free, max(group.limit - group.used, 0)), min(total, group.limit))
    }

    /// Reads `Name:   123 kB` lines.
    private static func kilobyteFields(of path: String) -> [String: Int] {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return [:] }
        var fields: [String: Int] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            guard words.count == 3, words[2] == "kB", let value = Int(words[1]) else { continue }
            fields[String(words[0].dropLast())] = value * 1024
        }
        return fields
    }
}

/// Follows the private memory of this process, whose peak the system does not keep.
public final class PeakMemorySampler: Sendable {
    private struct State {
        var peak = 0
        var stopped = false
    }

    private let state = Mutex(State())

    /// Starts sampling.
    ///
    /// - Parameter interval: seconds between two samples.
    public init(interval: Double = 0.01) {
        Thread.detachNewThread { [self] in
            while !state.withLock({ $0.stopped }) {
                sample()
                Thread.sleep(forTimeInterval: interval)
            }
        }
    }

    private func sample() {
        let now = HostMemory.usage().private
        state.withLock { $0.peak = max($0.peak, now) }
    }

    /// The peak of private memory since the last call, in bytes.
    public func takePeak() -> Int {
        sample()
        let now = HostMemory.usage().private
        return state.withLock { state in
            defer { state.peak = now }
            return state.peak
        }
    }

    /// Stops, and returns the peak of private memory since the last call of ``takePeak()``, in bytes.
    public func stop() -> Int {
        sample()
        return state.withLock {
            $0.stopped = true
            return $0.peak
        }
    }
}
