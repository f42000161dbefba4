import Flux2
import Foundation
import Synchronization

/// Draws a generation's events: a bar with a rate and an estimate for people, lines for logs.
final class TerminalProgress: Sendable {
    private struct State {
        /// What is being drawn.
        var task: String?
        var begun = ContinuousClock.now
        /// When a step was last told to a log.
        var told = ContinuousClock.now
        /// Steps that were skipped.
        var skipped = 0
    }

    private let report: Reporter
    private let status: StatusLine
    private let state = Mutex(State())

    init(_ report: Reporter) {
        self.report = report
        status = StatusLine(report)
    }

    func show(_ event: GenerationEvent) {
        if case .warned(let text) = event { status.warn(text) }
        guard !report.quiet else { return }
        switch event {
        case .planned(let plan):
            for text in plan.remarks { line(text) }
        case .converting(let component, let format, let done, let total):
            converting(component, format, done, total)
        case .converted(let path, let bytes): line("\(path): \(Terminal.bytes(bytes)), kept")
        case .loaded(let component, let bytes):
            line("\(component): \(Terminal.bytes(bytes)) of weights")
        case .readPrompt(let tokens, let limit, _, let isRemembered):
            line(
                "prompt: \(min(tokens, limit)) of \(limit) tokens"
                    + (isRemembered ? ", encoded before" : ""))
        case .readLoRA(let path, let changed, _, _): line("\(path): changes \(changed) weights")
        case .encodedReferences(let count, let tokens, let besides):
            line("references: \(count), \(tokens) tokens beside the picture's \(besides)")
        case .working(let stage, let done, let total): bar(stage, done, total)
        case .skipped(let steps): state.withLock { $0.skipped = steps }
        case .denoised(let step, let total):
            if !report.isInteractive { log(step, of: total) }
        case .warned, .decoded: break
        }
    }

    /// When a task was drawn first.
    private func begun(_ task: String) -> ContinuousClock.Instant {
        state.withLock { state in
            if state.task != task {
                state.task = task
                state.begun = .now
            }
            return state.begun
        }
    }

    private func converting(_ component: String, _ format: String, _ done: Int, _ total: Int) {
        let begun = begun(component)
        status.draw(isLast: done == total) {
            let seconds = max(Self.seconds(since: begun), 1e-3)
            let rate = Double(done) / seconds
            return
                "\(component) to \(format) \(Terminal.bar(Double(done) / Double(max(1, total)))) "
                + "\(Terminal.bytes(Int(rate)))/s, "
                + "\(Terminal.seconds(Double(total - done) / max(rate, 1))) left"
        }
    }

    /// A line for logs, at most every two seconds.
    private func log(_ step: Int, of total: Int) {
        let due = state.withLock { state in
            let due = step == total || ContinuousClock.now - state.told > .seconds(2)
            if due { state.told = .now }
            return due
        }
        if due { line("step \(step) of \(total)\(skipped)\(elapsed())") }
    }

    /// Ends the line that is being drawn over.
    func finish() { status.finish() }

    private func line(_ text: String) { status.write(text) }

    private var skipped: String {
        let count = state.withLock { $0.skipped }
        return count > 0 ? ", \(count) skipped" : ""
    }

    private func elapsed() -> String {
        state.withLock { ", \(Terminal.seconds(Self.seconds(since: $0.begun)))" }
    }

    private static func seconds(since start: ContinuousClock.Instant) -> Double {
        let parts = (ContinuousClock.now - start).components
        return Double(parts.seconds) + Double(parts.attoseconds) * 1e-18
    }

    private func bar(_ stage: GenerationEvent.Stage, _ done: Int, _ total: Int) {
        let begun = begun(stage.rawValue)
        status.draw(isLast: done == total) {
            Self.text(stage, done, total, Self.seconds(since: begun))
                + (stage == .denoise ? skipped : "")
        }
    }

    /// `denoise ██████░░░░ 60 %  12.3 s, 8.20 s left`.
    private static func text(
        _ stage: GenerationEvent.Stage, _ done: Int, _ total: Int, _ seconds: Double
    ) -> String {
        let share = min(1, Double(done) / Double(max(1, total)))
        let left = seconds * (1 - share) / max(share, 1e-9)
        let name = stage.rawValue.padding(toLength: 8, withPad: " ", startingAt: 0)
        return "\(name)\(Terminal.bar(share)) \(Int(share * 100)) %  \(Terminal.seconds(seconds)), "
            + "\(Terminal.seconds(left)) left"
    }
}
