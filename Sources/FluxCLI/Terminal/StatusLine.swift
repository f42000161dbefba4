import Foundation
import Synchronization

/// Lines that stay, above one that is drawn over as long as something goes on.
final class StatusLine: Sendable {
    private struct State {
        var drawn = ContinuousClock.now
        /// Columns of the line that is drawn over; 0 where there is none.
        var columns = 0
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

    /// Tells a warning, which stays whatever is silenced.
    func warn(_ text: String) {
        state.withLock { state in
            close(&state)
            report.warn(text)
        }
    }

    /// Draws over the last line, unless that was done a moment ago.
    ///
    /// - Parameter isLast: whether nothing is to follow, so that it is drawn in any case.
    func draw(isLast: Bool = false, _ line: () -> ProgressLine) {
        guard !report.quiet, let pause = report.isInteractive ? pauses.people : pauses.logs
        else { return }
        state.withLock { state in
            guard isLast || ContinuousClock.now - state.drawn > pause else { return }
            state.drawn = .now
            guard report.isInteractive else {
                report.notice(line().text(columns: nil))
                return
            }
            // In the last column some terminals go to the next line.
            let text = ShownText.of(line().text(columns: Terminal.columns - 1))
            report.write("\(Self.back(state.columns))\(text)\u{1B}[K")
            state.columns = text.count
        }
    }

    /// Ends the line that is being drawn over.
    func finish() { state.withLock { close(&$0) } }

    private func close(_ state: inout State) {
        if state.columns > 0 { report.write("\(Self.back(state.columns))\u{1B}[K") }
        state.columns = 0
    }

    /// Goes to where a line begins, of which a window that has become narrow shows several rows.
    private static func back(_ columns: Int) -> String {
        let rows = max(0, columns - 1) / max(1, Terminal.columns)
        return rows == 0 ? "\r" : "\r\u{1B}[\(rows)A\u{1B}[J"
    }
}
