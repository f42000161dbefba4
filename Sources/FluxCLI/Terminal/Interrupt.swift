import ArgumentParser
import Dispatch
import Files
import Foundation
import Synchronization

/// Runs work that Ctrl-C, or a request to terminate, cancels.
///
/// Work stops between layers. A layer of a large model may take longer than a person waits, so
/// after a second and a half the process leaves at once; nothing is lost, since files appear under
/// their names only when they are complete.
func cancellingOnInterrupt<Result: Sendable>(
    _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    let task = Task { try await body() }
    Interrupts.shared.begin { task.cancel() }
    defer { Interrupts.shared.end() }
    do {
        return try await task.value
    } catch is CancellationError {
        throw ExitCode(130)
    }
}

/// Signals that end the program, from the first piece of work that can be cancelled on.
private final class Interrupts: Sendable {
    static let shared = Interrupts()

    private struct State {
        var sources: [any DispatchSourceSignal] = []
        var cancel: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    func begin(_ cancel: @escaping @Sendable () -> Void) {
        state.withLock { state in
            state.cancel = cancel
            if state.sources.isEmpty { state.sources = [SIGINT, SIGTERM].map(source) }
        }
    }

    func end() { state.withLock { $0.cancel = nil } }

    private func source(_ number: Int32) -> any DispatchSourceSignal {
        signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
        source.setEventHandler { [self] in receive(number) }
        source.resume()
        return source
    }

    /// Between two pieces of work there is nothing to wait for.
    private func receive(_ number: Int32) {
        let cancel = state.withLock { $0.cancel }
        cancel?()
        let wait = cancel == nil ? 0 : 1.5
        DispatchQueue.global().asyncAfter(deadline: .now() + wait) {
            AtomicFile.discardPending()
            _exit(128 + number)
        }
    }
}
