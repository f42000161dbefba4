/// A log of comma-separated rows `step,key,value`, as DiffSynth-Studio's `loss.csv`.
///
/// A file that is there is continued. Numbers read as Python prints them.
public final class CSVLog: TrainingLog {
    /// The file.
    public var path: String { file.path }

    private let file: AppendedFile
    private let names: Set<String>?

    /// Opens a log, and makes it where it is not there.
    ///
    /// - Parameters:
    ///   - last: the last step whose rows stay in a file that is continued; nil lets all stay.
    ///   - names: the values that are written; nil takes all, DiffSynth-Studio writes `loss` only.
    /// - Throws: `FileError`; ``TrainingLogError`` where the file is not such a log.
    public init(path: String, continuingAfter last: Int? = nil, names: Set<String>? = nil) throws {
        file = try Self.format.open(path, after: last)
        self.names = names
    }

    public func write(_ entry: LogEntry) throws {
        let rows = entry.values.filter { names?.contains($0.name) ?? true }.map {
            "\(entry.step),\(Self.quoted($0.name)),\($0.value.pythonText)\n"
        }
        if !rows.isEmpty { try file.append(rows.joined().utf8) }
    }

    public func close() throws { try file.close() }

    private static let format = LineFormat(
        header: "step,key,value", beginning: "step,key,value",
        row: "a step, a key and a value",
        step: { Int(String(decoding: $0.prefix { $0 != UInt8(ascii: ",") }, as: UTF8.self)) })

    /// A field as Python's `csv` writes it; line ends become blanks, so that a row stays a line.
    private static func quoted(_ name: String) -> String {
        let line = String(name.map { $0.isNewline ? " " : $0 })
        guard line.contains(where: { $0 == "," || $0 == "\"" }) else { return line }
        return "\"\(line.replacing("\"", with: "\"\""))\""
    }
}

extension Double {
    /// The number as Python's `repr` has it: the fewest digits that give it back.
    var pythonText: String {
        if isNaN { return "nan" }
        // Python goes to exponents at 1e16; Swift where integers are no longer exact.
        if abs(self) > 0x1p53, abs(self) < 1e16 { return "\(Int(self)).0" }
        return description
    }
}
