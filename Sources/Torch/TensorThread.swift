import Foundation
import Synchronization

/// An executor that runs an actor's work on one thread of its own.
///
/// libtorch keeps gradient mode, device and stream per thread, and each thread that calls it gets
/// its own team of workers; so all tensor work of an actor belongs on one thread.
public final class TensorThread: SerialExecutor, Sendable {
    private struct Queue {
        var jobs: [UnownedJob] = []
        var closed = false
    }

    /// What the thread needs; it must not keep the executor itself alive.
    private final class Inbox: Sendable {
        let queue = Mutex(Queue())
        let ready = DispatchSemaphore(value: 0)

        func next() -> UnownedJob?? {
            ready.wait()
            return queue.withLock { queue in
                if !queue.jobs.isEmpty { return .some(queue.jobs.removeFirst()) }
                return queue.closed ? .some(nil) : nil
            }
        }
    }

    private let inbox = Inbox()

    /// Starts the thread, which ends with this object; the name is for debuggers.
    public init(name: String = "flux2.tensors") {
        let inbox = inbox
        let executor = Reference()
        let thread = Thread {
            while let entry = inbox.next() {
                guard let job = entry else { return }
                if let executor = executor.value { job.runSynchronously(on: executor) }
            }
        }
        executor.set(asUnownedSerialExecutor())
        thread.name = name
        thread.stackSize = 16 << 20
        thread.start()
    }

    deinit {
        inbox.queue.withLock { $0.closed = true }
        inbox.ready.signal()
    }

    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        inbox.queue.withLock { $0.jobs.append(job) }
        inbox.ready.signal()
    }

    /// The executor as jobs name it; written once, before the thread starts.
    private final class Reference: Sendable {
        private let stored = Mutex<UnownedSerialExecutor?>(nil)
        var value: UnownedSerialExecutor? { stored.withLock { $0 } }
        func set(_ executor: UnownedSerialExecutor) { stored.withLock { $0 = executor } }
    }
}
