/// Something about a data set that keeps it from being trained on.
public struct DataError: Error, Hashable, CustomStringConvertible {
    /// What is wrong.
    public enum Reason: Hashable, Sendable {
        /// The file or folder cannot be read.
        case unreadable(String)
        /// The text of a metadata file is not what its name says.
        case malformed(String)
        /// A row has no such column, or nothing in it.
        case missing(column: String)
        /// A column holds something else than is expected.
        case unexpected(column: String, expected: String, found: String)
        /// An image that is named is not there or cannot be decoded.
        case image(String)
        /// There is nothing to train on.
        case empty(String)
        /// A sample was made for something else.
        case unfit(String)
    }

    /// The file, folder or sample.
    public var path: String
    /// The row, from 1; nil where it is about the whole.
    public var row: Int?
    /// What is wrong.
    public var reason: Reason

    /// Names a place and what is wrong there.
    public init(path: String, row: Int? = nil, reason: Reason) {
        self.path = path
        self.row = row
        self.reason = reason
    }

    public var description: String {
        let place = row.map { "\(path), row \($0)" } ?? path
        switch reason {
        case .unreadable(let why): return "\(place): cannot be read: \(why)"
        case .malformed(let why): return "\(place): \(why)"
        case .missing(let column): return "\(place): has no '\(column)'"
        case .unexpected(let column, let expected, let found):
            return "\(place): '\(column)' must be \(expected), not \(found)"
        case .image(let why): return "\(place): \(why)"
        case .empty(let why): return "\(place): nothing to train on: \(why)"
        case .unfit(let why): return "\(place): \(why)"
        }
    }
}
