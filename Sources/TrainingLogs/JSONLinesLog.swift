internal import Foundation
internal import FileSupport

/// A log with a JSON object in each line: `{"step": 1, "time": 1700000000.5, "loss": 0.25}`.
///
/// A file that is there is continued. JSON has no words for infinities and NaN; they become `null`.
public final class JSONLinesLog: TrainingLog {
    /// The file.
    public var path: String { file.path }

    private let file: AppendedFile

    /// Opens a log, and makes it where it is not there.
    ///
    /// - Parameter last: the last step whose rows stay in a file that is continued; nil lets all
    ///   stay.
    /// - Throws: `FileError`; ``TrainingLogError`` where the file is not such a log.
    public init(path: String, continuingAfter last: Int? = nil) throws {
        file = try Self.format.open(path, after: last)
    }

    public func write(_ entry: LogEntry) throws {
        let time = (entry.time * 1000).rounded() / 1000
        let members =
            [("step", "\(entry.step)"), ("time", Self.number(time))]
            + entry.values.map { ($0.name, Self.number($0.value)) }
        let line = members.map { "\(Self.quoted($0.0)): \($0.1)" }.joined(separator: ", ")
        try file.append("{\(line)}\n".utf8)
    }

    public func close() throws { try file.close() }

    /// What a log holds, for a report that goes on with it; a torn last line is left out.
    ///
    /// - Throws: `FileError`; ``TrainingLogError`` naming a line that is no such row.
    public static func entries(of path: String) throws -> [LogEntry] {
        try format.rows(of: path).map { line, bytes in
            guard let entry = entry(bytes) else { throw format.complaint(path, line, bytes) }
            return entry
        }
    }

    private static let format = LineFormat(
        header: nil, beginning: "{\"step\":", row: "a JSON object with a step",
        step: { entry($0)?.step })

    private static func entry(_ line: ArraySlice<UInt8>) -> LogEntry? {
        var reader = JSONReader(Array(line))
        var values: [LoggedValue] = []
        var step: Int?
        var time = 0.0
        do {
            try reader.object { reader, key in
                let name = String(decoding: key, as: UTF8.self)
                switch (name, try reader.value()) {
                case ("step", let value): step = value.integer
                case ("time", .number(let number)): time = number
                case (_, .number(let number)): values.append(LoggedValue(name, number))
                case (_, .null): values.append(LoggedValue(name, .nan))
                default: break
                }
            }
            try reader.expectEnd()
        } catch { return nil }
        return step.map { LogEntry(step: $0, time: time, values: values) }
    }

    private static func number(_ value: Double) -> String {
        value.isFinite ? value.pythonText : "null"
    }

    private static func quoted(_ name: String) -> String {
        var text = "\""
        for scalar in name.unicodeScalars {
            switch scalar {
            case "\"", "\\": text += "\\\(scalar)"
            case _ where scalar.value < 0x20: text += String(format: "\\u%04x", scalar.value)
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }
}
