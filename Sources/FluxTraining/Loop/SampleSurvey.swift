/// The samples of a run, all looked at before the first step.
struct SampleSurvey {
    /// By the numbers that the run gives them.
    let source: any SampleSource
    /// What each is made of; in a run that goes on, what it was made of when the run began.
    let rows: [RowIdentity]

    /// Looks at the samples of a new run, and leaves out those that cannot be read, where that is asked
    /// for.
    ///
    /// - Throws: `DataError` naming a sample.
    init(
        _ settings: TrainingSettings, referenceArea: Int = 1024 * 1024,
        onEvent: (TrainingEvent) -> Void
    ) throws {
        let all = try settings.source(referenceArea: referenceArea)
        let found = try Self.found(all, settings.data, onEvent)
        let kept = found.indices.filter { found[$0].isReadable }
        rows = kept.map { found[$0].identity }
        source = try Self.selection(of: all, kept, settings.data)
        let missing = found.count - kept.count
        guard missing > 0 else { return }
        onEvent(.warned("\(missing) of \(found.count) samples are left out"))
    }

    /// Finds the samples of an earlier run again. The place of one that is gone is taken by the next, so
    /// that all others keep theirs.
    ///
    /// - Parameter path: the state of the earlier run.
    /// - Throws: `DataError`; `TrainingError` where samples are others.
    init(
        _ settings: TrainingSettings, referenceArea: Int = 1024 * 1024,
        goingOnFrom earlier: [RowIdentity], path: String, onEvent: (TrainingEvent) -> Void
    ) throws {
        let all = try settings.source(referenceArea: referenceArea)
        let found = try Self.found(all, settings.data, onEvent)
        let numbers: [Int?]
        do {
            numbers = try RowMatch(earlier, found, allowsGone: settings.data.skipsUnreadable)
                .numbers
        } catch let mismatch as RowMatch.Mismatch {
            throw RunIdentity.refusal(path, "was written with \(mismatch)")
        }
        rows = earlier
        source = try Self.selection(of: all, Self.filled(numbers), settings.data)
        let gone = numbers.count { $0 == nil }
        guard gone > 0 else { return }
        onEvent(
            .warned(
                "\(gone) of \(earlier.count) samples are gone or cannot be read since the run "
                    + "began; others take their places"))
    }

    /// Every number that is missing becomes the next that is there, or the last.
    private static func filled(_ numbers: [Int?]) -> [Int] {
        let there = numbers.compactMap(\.self)
        guard let last = there.last else { return [] }
        var next = last
        return numbers.reversed().map { number in
            next = number ?? next
            return next
        }.reversed()
    }

    private static func selection(
        of all: any SampleSource, _ numbers: [Int], _ data: DataSettings
    ) throws -> any SampleSource {
        guard !numbers.isEmpty else {
            throw DataError(path: data.base, reason: .empty("no sample can be read"))
        }
        return numbers == Array(0..<all.count)
            ? all : SampleSelection(source: all, numbers: numbers)
    }

    /// Every process has to know the same samples before the first step.
    private static func found(
        _ source: any SampleSource, _ data: DataSettings, _ onEvent: (TrainingEvent) -> Void
    ) throws -> [FoundRow] {
        for remark in source.remarks { onEvent(.warned(remark)) }
        return try (0..<source.count).map { number in
            try Task.checkCancellation()
            defer { onEvent(.readSizes(done: number + 1, of: source.count)) }
            var row = FoundRow(
                identity: RowIdentity(text: 0, files: 0), name: source.name(number))
            do {
                try source.checkFiles(number)
                if data.skipsUnreadable { _ = try source.load(number) }
            } catch  where data.skipsUnreadable {
                onEvent(.warned("left out: \(error)"))
                row.isReadable = false
            }
            if let identity = try? source.identity(number) { row.identity = identity }
            return row
        }
    }
}
