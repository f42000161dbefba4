import ArgumentParser
import Dispatch
import FileSupport
import Foundation
import Synchronization

/// Runs work that Ctrl-C, a request to terminate, or the end of the terminal cancels.
///
/// Work stops between layers. A layer of a large model may take longer than a person waits, so
/// after a second and a half, or the time that is given, the process leaves at once; nothing is lost,
/// since files appear under their names only when they are complete.
///
/// - Parameter grace: for work that writes what it has done when it is cancelled.
func cancellingOnInterrupt<Result: Sendable>(
    grace: Duration = .milliseconds(1500),
    _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    let task = Task { try await body() }
    Interrupts.shared.begin(grace) { task.cancel() }
    defer { Interrupts.shared.end() }
    do {
        return try await task.value
    } catch is CancellationError {
        throw Exit.interrupted.code
    }
}

/// Signals that end the program, from the first piece of work that can be cancelled on.
final class Interrupts: Sendable {
    static let shared = Interrupts()

    private struct State {
        var sources: [any DispatchSourceSignal] = []
        var cancel: (@Sendable () -> Void)?
        var grace = Duration.zero
        var isReceived = false
    }

    private let state = Mutex(State())

    func begin(_ grace: Duration, _ cancel: @escaping @Sendable () -> Void) {
        state.withLock { state in
            state.cancel = cancel
            state.grace = grace
            if state.sources.isEmpty {
                // `nohup` has a program outlive its terminal.
                let signals = [SIGINT, SIGTERM] + (Self.isIgnored(SIGHUP) ? [] : [SIGHUP])
                state.sources = signals.map(source)
            }
        }
    }

    /// Whether who started the program has it ignore a signal.
    static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        guard sigaction(number, nil, &action) == 0 else { return false }
        #if canImport(Darwin)
            let handler = action.__sigaction_u.__sa_handler
        #else
            let handler = action.__sigaction_handler.sa_handler
        #endif
        return unsafeBitCast(handler, to: Int.self) == 1
    }

    /// Cancels the work, as nobody reads any more what the program says.
    func outputClosed() {
        guard state.withLock({ $0.cancel != nil && !$0.isReceived }) else { return }
        receive(SIGPIPE)
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
        let (cancel, grace) = state.withLock { state in
            defer { state.isReceived = true }
            // Who asks twice does not want to wait for what is being saved.
            let grace = state.isReceived ? min(state.grace, .milliseconds(1500)) : state.grace
            return (state.cancel, grace)
        }
        cancel?()
        let wait = cancel == nil ? 0 : grace / .seconds(1)
        DispatchQueue.global().asyncAfter(deadline: .now() + wait) {
            AtomicFile.discardPending()
            _exit(Exit.code(ofSignal: number))
        }
    }
}
