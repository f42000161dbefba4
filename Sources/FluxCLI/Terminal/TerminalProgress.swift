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
        /// Steps that are done, of how many.
        var steps: (done: Int, total: Int)?
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
            line("references: \(count), \(tokens) tokens beside the image's \(besides)")
        case .working(let stage, let done, let total): bar(stage, done, total)
        case .skipped(let steps): state.withLock { $0.skipped = steps }
        case .denoised(let step, let total):
            state.withLock { $0.steps = (step, total) }
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
            let (rate, share) = (Double(done) / seconds, Double(done) / Double(max(1, total)))
            return ProgressLine(
                title: "\(component) to \(format)", share: share,
                details: [
                    "\(Int(share * 100)) %",
                    "\(Terminal.seconds(Double(total - done) / max(rate, 1))) left",
                    "\(Terminal.bytes(Int(rate)))/s",
                ])
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
            progressLine(stage, done, total, Self.seconds(since: begun))
        }
    }

    /// `denoise ██████░░░░ 60 %  2 of 4 steps, 8.20 s left, 12.3 s`.
    private func progressLine(
        _ stage: GenerationEvent.Stage, _ done: Int, _ total: Int, _ seconds: Double
    ) -> ProgressLine {
        let share = min(1, Double(done) / Double(max(1, total)))
        let left = seconds * (1 - share) / max(share, 1e-9)
        var details = ["\(Int(share * 100)) %"]
        if stage == .denoise { details += steps }
        details += ["\(Terminal.seconds(left)) left", Terminal.seconds(seconds)]
        return ProgressLine(title: stage.rawValue, share: share, details: details)
    }

    /// Steps so far, in words.
    private var steps: [String] {
        let (steps, skipped) = state.withLock { ($0.steps, $0.skipped) }
        return (steps.map { ["\($0.done) of \($0.total) steps"] } ?? [])
            + (skipped > 0 ? ["\(skipped) skipped"] : [])
    }
}
