import Flux2
import Foundation
import Synchronization

/// A bar over images with their rate and an estimate, and what is said once for all of them.
final class EvaluationProgress: Sendable {
    private struct State {
        var done = 0
        let begun = ContinuousClock.now
    }

    private let name: String
    private let total: Int
    private let status: StatusLine
    /// Says what holds for all images when it comes with the first.
    private let first: TerminalProgress
    private let state = Mutex(State())

    init(_ name: String, of total: Int, _ report: Reporter) {
        self.name = name
        self.total = total
        status = StatusLine(report, logsEvery: .seconds(10))
        first = TerminalProgress(report)
    }

    /// Counts an image that is done.
    func advance() {
        let (done, seconds) = state.withLock { state in
            state.done += 1
            return (state.done, (ContinuousClock.now - state.begun) / .seconds(1))
        }
        status.draw(isLast: done == total) { Self.line(name, done, of: total, seconds) }
    }

    /// Tells events of one image's generation, without its own progress.
    func show(_ event: GenerationEvent) {
        switch event {
        case .working, .denoised, .decoded: break
        case .warned(let text): status.warn(text)
        case .readPrompt: break
        default: if state.withLock({ $0.done == 0 }) { first.show(event) }
        }
    }

    /// Ends the line that is being drawn over.
    func finish() {
        first.finish()
        status.finish()
    }

    /// `images ██████░░░░ 60 %  120 of 200, 25.0 s left, 3.2 a second`.
    private static func line(
        _ name: String, _ done: Int, of total: Int, _ seconds: Double
    ) -> ProgressLine {
        let share = Double(done) / Double(max(1, total))
        let rate = Double(done) / max(seconds, 1e-3)
        let shown = rate >= 1 ? "\(rounded(rate)) a second" : "\(Terminal.seconds(1 / rate)) each"
        return ProgressLine(
            title: name, share: share,
            details: [
                "\(Int(share * 100)) %", "\(done) of \(total)",
                "\(Terminal.seconds(Double(total - done) / rate)) left", shown,
            ])
    }

    private static func rounded(_ value: Double) -> String { String(format: "%.1f", value) }
}
