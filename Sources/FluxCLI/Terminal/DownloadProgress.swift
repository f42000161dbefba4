import Foundation
import ModelHub
import Synchronization

/// Draws a download's events: one bar over all files for people, a line now and then for logs.
final class DownloadProgress: Sendable {
    private struct State {
        var bytes = 0
        var done = 0
        /// Bytes that were here before the first was fetched.
        var before = 0
        var begun = ContinuousClock.now
    }

    private let status: StatusLine
    private let state = Mutex(State())

    init(_ report: Reporter) { status = StatusLine(report, logsEvery: .seconds(10)) }

    func show(_ event: DownloadEvent) {
        switch event {
        case .checking(let path): status.write("\(path): checking")
        case .began(let files, let bytes, let present):
            state.withLock { $0 = State(bytes: bytes, done: present, before: present) }
            let rest =
                present > 0 ? ", \(Terminal.bytes(present)) of them from an earlier attempt" : ""
            status.write(
                "fetching \(files) file\(files == 1 ? "" : "s"), \(Terminal.bytes(bytes))\(rest)")
        case .received(let bytes):
            // Threads may tell of their bytes in another order than they counted them.
            let state = state.withLock { state in
                state.done = max(bytes, state.before)
                return state
            }
            status.draw { Self.line(state) }
        case .waiting(let seconds, let because):
            status.write("\(because); trying again in \(Terminal.seconds(seconds))")
        case .damaged(let path):
            status.write("\(path): damaged on its way; fetching it again")
        case .finished(let path): status.write(path)
        }
    }

    /// Ends the line that is being drawn over.
    func finish() { status.finish() }

    private static func line(_ state: State) -> ProgressLine {
        Terminal.progress(
            "fetch", state.done, of: state.bytes, before: state.before,
            elapsed: (ContinuousClock.now - state.begun) / .seconds(1))
    }
}
