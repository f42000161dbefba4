/// A tensor file that cannot be read or written.
public struct SafetensorsError: Error, Hashable, CustomStringConvertible {
    /// What is wrong with the file, its header or one of its tensors.
    public enum Reason: Hashable, Sendable {
        /// Shorter than the eight bytes that give the header's length, or than the header.
        case truncated(expected: Int, found: Int)
        /// The first eight bytes announce a header of more bytes than are read, 10^8.
        case headerTooLarge(Int, limit: Int)
        /// The header is not the JSON that it should be, with what was expected.
        case malformedHeader(String)
        /// The file's data do not end where the header says.
        case wrongSize(expected: Int, found: Int)
        /// A name that two tensors carry; `other` is the other file, if it is another.
        case duplicate(other: String?)
        /// The header gives a tensor this type, which the format does not have.
        case unknownType(String)
        /// Negative lengths, or more bytes than can be counted.
        case badShape([Int])
        /// The bytes from `start` to `end` are not a range within the file's data.
        case outOfRange(start: Int, end: Int, size: Int)
        /// Shape and type ask for another number of bytes than the range has.
        case wrongByteCount(expected: Int, found: Int)
        /// The tensor begins before or behind the end of the one before it.
        case notContiguous(expected: Int, found: Int)
        /// The index names a file or a tensor that is not there.
        case badIndex(String)
        /// The folder has no tensor files.
        case noFiles
        /// The source of a tensor gave another number of bytes than its shape needs.
        case badSource(expected: Int, found: Int)
        /// The tensor would be written with values that are infinite or NaN.
        case notFinite
    }

    /// The file, index or folder.
    public var file: String
    /// The tensor's name; nil when the whole file is concerned.
    public var key: String?
    /// What is wrong; `description` puts it into words.
    public var reason: Reason

    /// Names a file, a tensor of it where one is to blame, and what is wrong.
    public init(file: String, key: String? = nil, reason: Reason) {
        self.file = file
        self.key = key
        self.reason = reason
    }

    public var description: String {
        let subject = key.map { "'\($0.prefix(200))' " } ?? ""
        let line = "\(file): \(subject)\(explanation)"
        return String(line.map { $0.isNewline ? " " : $0 })
    }

    private var explanation: String {
        switch reason {
        case .truncated(let expected, let found):
            "is truncated: expected at least \(expected) bytes, found \(found)"
        case .headerTooLarge(let size, let limit):
            "announces a header of \(size) bytes, at most \(limit) are read; "
                + "is this a safetensors file?"
        case .malformedHeader(let why): "has a damaged header: \(why)"
        case .wrongSize(let expected, let found):
            found < expected
                ? "is truncated: expected \(expected) bytes of data, found \(found)"
                : "has bytes behind its last tensor: expected \(expected), found \(found)"
        case .duplicate(let other): "is there twice" + (other.map { ", also in \($0)" } ?? "")
        case .unknownType(let type):
            "has elements of unknown type '\(type.prefix(40))'; known are "
                + ElementType.allCases.map(\.rawValue).joined(separator: ", ")
        case .badShape(let shape): "has an impossible shape \(shape.prefix(16))"
        case .outOfRange(let start, let end, let size):
            "lies at bytes \(start) to \(end) of \(size) bytes of data"
        case .wrongByteCount(let expected, let found):
            "needs \(expected) bytes for its shape, has \(found)"
        case .notContiguous(let expected, let found):
            "starts at byte \(found), expected \(expected): tensors overlap or leave a hole"
        case .badIndex(let why): why
        case .noFiles: "expected .safetensors files, found none"
        case .badSource(let expected, let found):
            "needs \(expected) bytes, its source gave \(found)"
        case .notFinite: "would hold values that are not finite; nothing is written"
        }
    }
}
