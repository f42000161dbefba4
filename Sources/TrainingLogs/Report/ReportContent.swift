/// What a report tells.
struct ReportContent: Sendable {
    var title: String
    var facts: [(name: String, value: String)]
    var totalSteps: Int?
    var history = LossHistory()
    var gallery = SampleGallery()
    var warnings: [String] = []
    var usage: String?
    var isClosed = false

    /// Whether the training goes on, in a word.
    var condition: String {
        guard isClosed else { return "running" }
        guard let totalSteps else { return "finished" }
        return (history.last?.step ?? 0) < totalSteps ? "stopped" : "finished"
    }

    /// Where the training is, in a line.
    var progress: String {
        guard let last = history.last else { return "no step done yet" }
        var parts = ["step \(last.step)" + (totalSteps.map { " of \($0)" } ?? "")]
        if let (first, now) = lossSpan {
            parts.append("loss \(ChartNumber.text(first)) → \(ChartNumber.text(now))")
        }
        if let seconds = last[LogName.secondsPerStep], seconds.isFinite {
            parts.append("\(ChartNumber.text(seconds)) s per step")
        }
        return parts.joined(separator: " · ")
    }

    /// Warnings of the caller and those that the values give.
    var allWarnings: [String] {
        let broken = history.brokenSteps
        guard let first = broken.first else { return warnings }
        let more = broken.count > 1 ? " and \(broken.count - 1) more" : ""
        return warnings + ["The loss was not a number at step \(first)\(more)."]
    }

    /// The mean loss of the first twentieth and of the last.
    private var lossSpan: (Double, Double)? {
        let losses = (history.points[LogName.loss] ?? []).map(\.value)
        guard losses.count >= 10 else { return nil }
        let part = max(5, losses.count / 20)
        return (
            losses.prefix(part).reduce(0, +) / Double(part),
            losses.suffix(part).reduce(0, +) / Double(part)
        )
    }
}
