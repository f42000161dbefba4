import ArgumentParser
import Dispatch
import Files
import Foundation

/// Runs work that Ctrl-C, or a request to terminate, cancels.
///
/// Work stops between layers. A layer of a large model may take longer than a person waits, so
/// after a second and a half the process leaves at once; nothing is lost, since files appear under
/// their names only when they are complete.
func cancellingOnInterrupt<Result: Sendable>(
    _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    let task = Task { try await body() }
    let sources = [SIGINT, SIGTERM].map { number in
        signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
        source.setEventHandler {
            task.cancel()
            DispatchQueue.global().asyncAfter(deadline: .now() + 1.5) {
                AtomicFile.discardPending()
                _exit(128 + number)
            }
        }
        source.resume()
        return source
    }
    defer { sources.forEach { $0.cancel() } }
    do {
        return try await task.value
    } catch is CancellationError {
        throw ExitCode(130)
    }
}
