internal import FileSupport
internal import Foundation
internal import Synchronization

/// A file that grows at its end, each piece reaching the system at once.
final class AppendedFile: Sendable {
    let path: String
    private let descriptor: Mutex<Int32?>

    /// Opens a file for appending and makes it, with its folder, where it is not there.
    ///
    /// - Parameter isNew: whether a file that is there is an error (`FileError.Reason.exists`).
    init(path: String, isNew: Bool = false) throws {
        self.path = path
        try Folder.make(for: path)
        // A pipe that nobody reads is not waited for.
        let flags =
            O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | (isNew ? O_EXCL : 0)
        let opened = open(path, flags, 0o666)
        guard opened >= 0 else {
            throw errno == EEXIST
                ? FileError(path: path, reason: .exists) : FileError.failed("open", path)
        }
        descriptor = Mutex(opened)
    }

    deinit {
        descriptor.withLock { if let open = $0 { _ = Foundation.close(open) } }
    }

    /// Writes bytes that belong together in one go, so that a crash tears as little as can be.
    func append(_ bytes: some Collection<UInt8>) throws {
        try descriptor.withLock { descriptor in
            guard let descriptor else { throw TrainingLogError(path: path, reason: .closed) }
            try Array(bytes).withUnsafeBytes {
                try AtomicFile.append($0, to: descriptor, of: path)
            }
        }
    }

    func close() throws {
        try descriptor.withLock { descriptor in
            guard let open = descriptor.take() else { return }
            defer { _ = Foundation.close(open) }
            guard fsync(open) == 0 else { throw FileError.failed("write", path) }
        }
    }
}
