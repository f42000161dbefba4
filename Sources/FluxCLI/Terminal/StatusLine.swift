import Foundation
import Synchronization

/// Lines that stay, above one that is drawn over as long as something goes on.
final class StatusLine: Sendable {
    private struct State {
        var drawn = ContinuousClock.now
        var isOpen = false
    }

    private let report: Reporter
    private let state = Mutex(State())
    /// Between two drawings for people, and between two lines for logs; nil draws none there.
    private let pauses: (people: Duration, logs: Duration?)

    init(_ report: Reporter, logsEvery logs: Duration? = nil) {
        self.report = report
        pauses = (.milliseconds(100), logs)
    }

    /// Writes a line that stays.
    func write(_ text: String) {
        state.withLock { state in
            close(&state)
            report.notice(text)
        }
    }

    /// Draws over the last line, unless that was done a moment ago.
    ///
    /// - Parameter isLast: whether nothing is to follow, so that it is drawn in any case.
    func draw(isLast: Bool = false, _ text: () -> String) {
        guard !report.quiet, let pause = report.isInteractive ? pauses.people : pauses.logs
        else { return }
        state.withLock { state in
            guard isLast || ContinuousClock.now - state.drawn > pause else { return }
            state.drawn = .now
            guard report.isInteractive else {
                report.notice(text())
                return
            }
            state.isOpen = true
            report.write("\r\(ShownText.of(text()))\u{1B}[K")
        }
    }

    /// Ends the line that is being drawn over.
    func finish() { state.withLock { close(&$0) } }

    private func close(_ state: inout State) {
        if state.isOpen { report.write("\r\u{1B}[K") }
        state.isOpen = false
    }
}
