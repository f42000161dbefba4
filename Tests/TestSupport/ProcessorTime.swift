import Foundation

/// The seconds that the processor spends in `body` on this thread, whatever runs beside it.
public func processorSeconds(_ body: () throws -> Void) rethrows -> Double {
    func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
    let begun = now()
    try body()
    return now() - begun
}
