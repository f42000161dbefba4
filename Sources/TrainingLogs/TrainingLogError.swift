/// A log that cannot be continued or written.
public struct TrainingLogError: Error, Hashable, CustomStringConvertible {
    /// What is wrong with the file.
    public enum Reason: Hashable, Sendable {
        /// The first line is not that of such a log.
        case foreign(expected: String, found: String)
        /// A line is none of such a log's; counted from 1.
        case badLine(Int, expected: String, found: String)
        /// Something was to be written after the log had been closed.
        case closed
    }

    /// The file as its user named it.
    public var path: String
    /// What is wrong; `description` puts it into words.
    public var reason: Reason

    /// Names a file and what is wrong with it.
    public init(path: String, reason: Reason) {
        self.path = path
        self.reason = reason
    }

    public var description: String {
        switch reason {
        case .foreign(let expected, let found):
            "\(path): expected a log that begins with \(expected), found '\(Self.brief(found))'"
        case .badLine(let line, let expected, let found):
            "\(path): line \(line): expected \(expected), found '\(Self.brief(found))'"
        case .closed: "\(path): the log has been closed"
        }
    }

    private static func brief(_ text: String) -> String {
        String(text.prefix(40).map { $0.isNewline ? " " : $0 })
    }
}
