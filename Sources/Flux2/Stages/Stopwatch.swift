internal import Torch

/// Seconds since it was made.
package struct Stopwatch {
    private let start = ContinuousClock.now

    package init() {}

    package var seconds: Double {
        let elapsed = ContinuousClock.now - start
        return Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) * 1e-18
    }
}

/// Counts the operations between two calls.
struct OperationCounter {
    private var last = OperationCounts.counted

    mutating func takeCounts() -> OperationCounts {
        let now = OperationCounts.counted
        defer { last = now }
        return now - last
    }
}
