internal import TrainingLogs
import FluxTraining
import Foundation
import Synchronization

/// Draws a training's events: a line that is drawn over for people, lines for logs.
final class TrainingDisplay: Sendable {
    private struct State {
        var outline: TrainingOutline?
        var smoothing = LossSmoothing(.exponential(factor: 0.95))
        var clock = StepClock()
        var rate: Double?
        var first = 0
    }

    private let status: StatusLine
    private let state: Mutex<State>

    init(_ report: Reporter) {
        status = StatusLine(report, logsEvery: .seconds(10))
        state = Mutex(State())
    }

    func show(_ event: TrainingEvent) {
        switch event {
        case .begun(let outline): begin(outline)
        case .encoded(let done, let total): count("encode", done, total)
        case .readSizes(let done, let total): count("sizes", done, total)
        case .step(let report): step(report)
        case .saved(let path): status.write("\(path): written")
        case .validated(let step, let loss):
            status.write("step \(step): held-out loss \(Self.number(loss))")
        case .sampled(let step, let prompt, _, let path):
            status.write("step \(step): pictured '\(prompt)': \(path)")
        case .resumed(let step, let path):
            state.withLock { $0.first = step }
            status.write("\(path): going on after step \(step)")
        case .warned(let text): status.warn(text)
        }
    }

    /// Ends the line that is being drawn over.
    func finish() { status.finish() }

    private func begin(_ outline: TrainingOutline) {
        state.withLock { state in
            state.outline = outline
            state.clock.start()
        }
        let processes = outline.processes > 1 ? " on each of \(outline.processes) processes" : ""
        status.write(
            "\(outline.samples) samples, \(outline.steps) steps\(processes), \(outline.updates) "
                + "updates of \(outline.trained) values in \(outline.tensors) tensors; optimizer "
                + "state \(Terminal.bytes(outline.stateBytes))")
    }

    private func count(_ what: String, _ done: Int, _ total: Int) {
        status.draw(isLast: done == total) {
            ProgressLine(
                title: what, share: Double(done) / Double(max(1, total)),
                details: ["\(done) of \(total)"])
        }
    }

    private func step(_ report: StepReport) {
        let (line, isLast) = state.withLock { state in
            state.clock.stepDone()
            _ = state.smoothing.add(report.loss)
            state.rate = report.rate ?? state.rate
            let total = state.outline?.steps ?? report.step
            return (Self.line(report, state, total), report.step == total)
        }
        status.draw(isLast: isLast) { line }
    }

    private static func line(
        _ report: StepReport, _ state: State, _ total: Int
    ) -> ProgressLine {
        let seconds = state.clock.secondsPerStep ?? report.seconds
        let left = state.clock.secondsLeft(steps: total - report.step)
        let details = [
            "\(report.step) of \(total)", "loss \(number(report.loss))",
            left.map { "\(Terminal.seconds($0)) left" },
            state.smoothing.value.map { "mean \(number($0))" },
            "\(Terminal.seconds(seconds)) a step",
            state.rate.map { "rate \(String(format: "%.3g", $0))" },
        ]
        return ProgressLine(
            title: "train", share: Double(report.step) / Double(max(1, total)),
            details: details.compactMap(\.self))
    }

    private static func number(_ loss: Double) -> String { String(format: "%.4f", loss) }
}
