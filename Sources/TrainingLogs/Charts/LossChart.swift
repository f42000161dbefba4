internal import FileSupport

/// The loss of a training as a drawing: each step faint, smoothed bold, held-out data as dots.
public struct LossChart: Sendable {
    private let history: LossHistory

    /// A chart of entries, in the order of their steps; it takes ``LogName/loss`` and
    /// ``LogName/validationLoss`` of them.
    public init(_ entries: some Sequence<LogEntry>) {
        var history = LossHistory()
        for entry in entries { history.add(entry) }
        self.history = history
    }

    init(_ history: LossHistory) { self.history = history }

    /// The text of an SVG file; nil where no entry has a loss.
    public var svg: String? { history.loss.svg(isAlone: true) }

    /// Writes an SVG file, at once or not at all; nothing where no entry has a loss.
    ///
    /// - Throws: `FileError`.
    public func write(to path: String) throws {
        guard let svg else { return }
        try AtomicFile.write(path, bytes: Array("\(svg)\n".utf8))
    }
}
