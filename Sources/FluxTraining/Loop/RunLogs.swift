internal import TrainingLogs
internal import FileSupport

/// The logs of a run, written by the first process only.
final class RunLogs {
    private let logs: [any TrainingLog]
    private let samples: SampleFiles
    private let report: TrainingReport?

    /// Opens logs; those that exist are continued.
    ///
    /// - Parameter last: the step of the state from which a run goes on, 0 where it begins; what logs
    ///   have of later ones is dropped.
    init(
        _ settings: OutputSettings, title: String, facts: [(name: String, value: String)],
        totalSteps: Int, continuingAfter last: Int
    ) throws {
        var logs: [any TrainingLog] = []
        let folder = settings.folder
        if !settings.logs.isEmpty { try Folder.make(folder) }
        if settings.logs.contains(.csv) {
            logs.append(
                try CSVLog(
                    path: folder + "/loss.csv", continuingAfter: last, names: [LogName.loss]))
        }
        samples = try SampleFiles(folder: folder + "/samples", continuingAfter: last)
        let lines = folder + "/log.jsonl"
        // The report of a run that goes on needs what came before.
        if !settings.logs.isDisjoint(with: [.jsonLines, .report]) {
            logs.append(try JSONLinesLog(path: lines, continuingAfter: last))
        }
        if settings.logs.contains(.tensorBoard) {
            logs.append(
                try TensorBoardLog(folder: folder + "/tensorboard_log", continuingAfter: last))
        }
        report =
            settings.logs.contains(.report)
            ? try TrainingReport(
                path: folder + "/report.html", title: title, facts: facts, totalSteps: totalSteps,
                history: try JSONLinesLog.entries(of: lines), images: samples) : nil
        if let report { logs.append(report) }
        self.logs = logs
    }

    func write(_ step: StepReport) throws {
        var values = [LoggedValue(LogName.loss, step.loss)]
        if let rate = step.rate { values.append(.init(LogName.learningRate, rate)) }
        if let norm = step.gradientNorm { values.append(.init(LogName.gradientNorm, norm)) }
        values.append(.init(LogName.secondsPerStep, step.seconds))
        try write(LogEntry(step: step.step, values: values))
    }

    func write(_ entry: LogEntry) throws {
        for log in logs { try log.write(entry) }
    }

    /// - Returns: the image's file.
    func add(_ image: LoggedImage) throws -> String {
        for log in logs { try log.add(image) }
        return try samples.write(image)
    }

    func warn(_ text: String) { report?.warn(text) }

    func close(usage: String?) throws {
        if let usage { report?.setUsage(usage) }
        for log in logs { try log.close() }
    }
}
