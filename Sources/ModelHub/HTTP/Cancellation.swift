internal import Foundation
internal import Synchronization

/// A flag that threads look at, since they know nothing of tasks.
final class Cancellation: Sendable {
    private let flag = Atomic(false)

    var isCancelled: Bool { flag.load(ordering: .relaxed) }
    func cancel() { flag.store(true, ordering: .relaxed) }

    /// Waits on this thread, but not beyond cancellation.
    func sleep(seconds: Double) throws {
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {
            if isCancelled { throw CancellationError() }
            Thread.sleep(forTimeInterval: min(0.05, seconds))
        }
    }

    /// Runs blocking work on a thread of its own; cancelling the task cancels it.
    static func onThread<Result: Sendable>(
        _ body: @escaping @Sendable (Cancellation) throws -> Result
    ) async throws -> Result {
        let cancellation = Cancellation()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let thread = Thread {
                    continuation.resume(with: Swift.Result { try body(cancellation) })
                }
                thread.stackSize = 1 << 20
                thread.start()
            }
        } onCancel: {
            cancellation.cancel()
        }
    }
}
