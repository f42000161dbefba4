/// Finds the samples of an earlier run among those that are there now.
struct RowMatch {
    /// By number in the earlier run: the number now; nil where the sample is gone or cannot be read.
    private(set) var numbers: [Int?] = []
    private let before: [RowIdentity]
    private let now: [FoundRow]
    private let allowsGone: Bool

    /// What is different, in words.
    struct Mismatch: Error, CustomStringConvertible {
        var description: String
    }

    /// - Parameter allowsGone: whether samples may be missing, as with `--skip-unreadable`.
    /// - Throws: `Mismatch`.
    init(_ before: [RowIdentity], _ now: [FoundRow], allowsGone: Bool) throws {
        self.before = before
        self.now = now
        self.allowsGone = allowsGone
        var next = 0
        while numbers.count < before.count {
            guard next < now.count else {
                try passGone(upTo: before.count)
                break
            }
            next += now[next].isReadable ? try matched(next) : try unreadable(next)
        }
        guard !now[next...].contains(where: \.isReadable) else { throw otherCount }
    }

    /// Rows of the earlier run, and of now, that are still to be looked at.
    private func leaves(_ next: Int) -> (before: Int, now: Int) {
        (before.count - numbers.count, now.count - next)
    }

    /// - Returns: how many rows of now have been used up.
    private mutating func matched(_ next: Int) throws -> Int {
        guard now[next].identity != before[numbers.count] else {
            numbers.append(next)
            return 1
        }
        let rest = leaves(next)
        // Where rows have been taken out, the present one comes later in the earlier run.
        if rest.before > rest.now,
            let later = before[numbers.count...].firstIndex(of: now[next].identity)
        {
            try passGone(upTo: later)
            return 0
        }
        throw rest.before == rest.now ? otherRow(now[next]) : otherCount
    }

    private mutating func unreadable(_ next: Int) throws -> Int {
        let (found, wanted) = (now[next].identity, before[numbers.count])
        let rest = leaves(next)
        // What could not be read before either was no sample then.
        if found != wanted, rest.now > rest.before { return 1 }
        guard found.text == wanted.text else { throw otherRow(now[next]) }
        numbers.append(nil)
        return 1
    }

    private mutating func passGone(upTo end: Int) throws {
        guard allowsGone else { throw otherCount }
        numbers += Array(repeating: nil, count: end - numbers.count)
    }

    private var otherCount: Mismatch {
        Mismatch(
            description: "another data set: \(before.count) samples, now \(now.count), and sample "
                + "\(numbers.count + 1) is another; --skip-unreadable goes on where samples are gone"
        )
    }

    private func otherRow(_ found: FoundRow) -> Mismatch {
        let wanted = before[numbers.count]
        let what =
            switch (found.identity.text == wanted.text, found.identity.files == wanted.files) {
            case (true, _): "image"
            case (_, true): "caption or other columns"
            default: "caption and image"
            }
        return Mismatch(
            description:
                "another data set: sample \(numbers.count + 1), '\(found.name)', has another "
                + what)
    }
}
