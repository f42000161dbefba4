import Foundation

/// A file that cannot be read or written.
public struct FileError: Error, Hashable, CustomStringConvertible {
    /// What went wrong.
    public enum Reason: Hashable, Sendable {
        /// The system refused an action with this error number.
        case failed(action: String, code: Int32)
        /// The file is there and must not be replaced.
        case exists
        /// The file ended before everything asked for was read.
        case shrank(expected: Int, found: Int)
        /// Something else than a file is there, in words.
        case noFile(String)
        /// The file holds bytes that are no text.
        case noText
    }

    /// The file as its user named it.
    public var path: String
    /// What went wrong; `description` puts it into words.
    public var reason: Reason

    /// Names a file and what went wrong with it.
    public init(path: String, reason: Reason) {
        self.path = path
        self.reason = reason
    }

    /// An error with the system's present error number.
    package static func failed(_ action: String, _ path: String) -> FileError {
        FileError(path: path, reason: .failed(action: action, code: errno))
    }

    public var description: String { "\(path): \(cause)" }

    /// What went wrong, without the path.
    package var cause: String {
        switch reason {
        case .failed(let action, let code): "cannot \(action): \(Self.cause(code))"
        case .exists: "exists already; --force replaces it"
        case .shrank(let expected, let found):
            "expected \(expected) bytes, found \(found); did it change while being read?"
        case .noFile(let found): "expected a file, found \(found)"
        case .noText: "expected text in UTF-8, UTF-16 or Windows-1252, found other bytes"
        }
    }

    private static func cause(_ code: Int32) -> String {
        switch code {
        case ENOSPC: "no space left on the disk"
        case ENOENT: "no such file or folder"
        case EACCES, EPERM, EROFS: "permission denied"
        default: String(cString: strerror(code)).lowercased()
        }
    }
}
