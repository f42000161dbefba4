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
        var drawn = ContinuousClock.now
        var lineIsOpen = false
    }

    private let report: Reporter
    private let state = Mutex(State())

    init(_ report: Reporter) { self.report = report }

    func show(_ event: DownloadEvent) {
        switch event {
        case .checking(let path): line("\(path): checking")
        case .began(let files, let bytes, let present):
            state.withLock { state in
                state.bytes = bytes
                state.done = present
                state.before = present
                state.begun = .now
            }
            let rest =
                present > 0 ? ", \(Terminal.bytes(present)) of them from an earlier attempt" : ""
            line("fetching \(files) file\(files == 1 ? "" : "s"), \(Terminal.bytes(bytes))\(rest)")
        case .received(let bytes): draw(bytes)
        case .waiting(let seconds, let because):
            line("\(because); trying again in \(Terminal.seconds(seconds))")
        case .damaged(let path): line("\(path): damaged on its way; fetching it again")
        case .finished(let path): line(path)
        }
    }

    /// Ends the line that is being drawn over.
    func finish() { state.withLock { close(&$0) } }

    private func line(_ text: String) {
        state.withLock {
            close(&$0)
            report.notice(text)
        }
    }

    private func close(_ state: inout State) {
        if state.lineIsOpen { report.write("\r\u{1B}[K") }
        state.lineIsOpen = false
    }

    private func draw(_ bytes: Int) {
        guard !report.quiet else { return }
        state.withLock { state in
            // Threads may tell of their bytes in another order than they counted them.
            state.done = max(bytes, state.before)
            let pause: Duration = report.isInteractive ? .milliseconds(100) : .seconds(10)
            guard ContinuousClock.now - state.drawn > pause else { return }
            state.drawn = .now
            let text = Self.text(state)
            if report.isInteractive {
                state.lineIsOpen = true
                report.write("\r\(text)\u{1B}[K")
            } else {
                report.notice(text)
            }
        }
    }

    /// `fetch ██████░░░░ 60 %  1.2 of 2.0 GB, 85 MB/s, 9.4 s left`.
    private static func text(_ state: State) -> String {
        let share = min(1, Double(state.done) / Double(max(1, state.bytes)))
        let elapsed = (ContinuousClock.now - state.begun) / .seconds(1)
        let rate = Double(state.done - state.before) / max(elapsed, 1e-3)
        let left = rate > 0 ? Double(state.bytes - state.done) / rate : .infinity
        return "fetch   \(Terminal.bar(share)) \(Int(share * 100)) %  "
            + "\(Terminal.bytes(state.done)) of \(Terminal.bytes(state.bytes)), "
            + "\(Terminal.bytes(Int(rate)))/s"
            + (left.isFinite ? ", \(Terminal.seconds(max(0, left))) left" : "")
    }
}
