internal import FileSupport
internal import Foundation
internal import Synchronization

/// A page that shows a training while it runs and afterwards: one HTML file that needs no other.
///
/// It draws the values that ``LogName`` lists, and shows images of up to 24 steps. The file is written anew
/// now and then, at once or not at all. A run that is continued hands what an earlier one left, such as
/// ``JSONLinesLog/entries(of:)``, to ``init(path:title:facts:totalSteps:history:images:interval:)``.
public final class TrainingReport: TrainingLog {
    /// The file.
    public let path: String

    private struct State {
        var content: ReportContent
        var written: ContinuousClock.Instant?
        /// An image came since; those of a step come together, so that it waits for the next step.
        var hasNews = false
    }

    private let state: Mutex<State>
    private let interval: Duration

    /// A report of a training; nothing is written before its first entry.
    ///
    /// - Parameters:
    ///   - path: of the HTML file; its folder is made.
    ///   - title: what is trained, in a line.
    ///   - facts: model, method, data, settings, machine, in the order in which they are shown.
    ///   - totalSteps: steps of the whole training.
    ///   - history: entries of an earlier run, in the order of their steps.
    ///   - images: those of an earlier run.
    ///   - interval: the time between rewritings, other than those for new images.
    /// - Throws: `FileError` where the file could not be written.
    public init(
        path: String, title: String, facts: [(name: String, value: String)],
        totalSteps: Int? = nil, history: [LogEntry] = [], images: SampleFiles? = nil,
        interval: Duration = .seconds(60)
    ) throws {
        try Folder.make(for: path)
        try AtomicFile.checkWritable(path)
        self.path = path
        self.interval = interval
        var content = ReportContent(title: title, facts: facts, totalSteps: totalSteps)
        for entry in history { content.history.add(entry) }
        if let earlier = images?.images(ofSteps: SampleGallery.mostRows) {
            for image in earlier.shown { try content.gallery.add(image) }
            content.gallery.dropped += earlier.dropped
        }
        state = Mutex(State(content: content))
    }

    public func write(_ entry: LogEntry) throws {
        try change { state in
            state.content.history.add(entry)
            let isDue = state.written.map { .now - $0 >= interval } ?? true
            if isDue || state.hasNews { try write(&state) }
        }
    }

    public func add(_ image: LoggedImage) throws {
        try change { state in
            try state.content.gallery.add(image)
            state.hasNews = true
        }
    }

    /// Adds a line to the warnings.
    public func warn(_ text: String) {
        state.withLock { $0.content.warnings.append(text) }
    }

    /// Adds a fact, or gives it another value.
    public func setFact(_ name: String, _ value: String) {
        state.withLock { state in
            if let index = state.content.facts.firstIndex(where: { $0.name == name }) {
                state.content.facts[index].value = value
            } else {
                state.content.facts.append((name, value))
            }
        }
    }

    /// How to use what was trained: command lines, shown at the end of the page.
    public func setUsage(_ text: String) {
        state.withLock { $0.content.usage = text }
    }

    /// Writes the file now.
    ///
    /// - Throws: `FileError`.
    public func rewrite() throws {
        try state.withLock { try write(&$0) }
    }

    /// Writes the file a last time: as finished, or as stopped before all steps were done.
    public func close() throws {
        try state.withLock { state in
            guard !state.content.isClosed else { return }
            state.content.isClosed = true
            try write(&state)
        }
    }

    /// The loss so far, to be written beside the report.
    public var lossChart: LossChart {
        LossChart(state.withLock { $0.content.history })
    }

    private func change(_ body: (inout State) throws -> Void) throws {
        try state.withLock { state in
            guard !state.content.isClosed else {
                throw TrainingLogError(path: path, reason: .closed)
            }
            try body(&state)
        }
    }

    private func write(_ state: inout State) throws {
        let page = ReportPage(content: state.content, date: Date())
        try AtomicFile.write(path, bytes: Array(page.html.utf8))
        state.written = .now
        state.hasNews = false
    }
}
