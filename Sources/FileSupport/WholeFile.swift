public import Foundation

/// Reading of whole files that are regular ones: what is none may never end, or never begin.
public enum WholeFile {
    /// All bytes of a file.
    ///
    /// - Throws: `FileError` when it cannot be opened or is no regular file.
    public static func bytes(_ path: String) throws -> [UInt8] {
        let descriptor = try open(path)
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileError.failed("examine", path) }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeMutableBytes { [done] buffer in
                read(
                    descriptor,
                    UnsafeMutableRawBufferPointer(rebasing: buffer[done...]).baseAddress,
                    buffer.count - done)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileError.failed("read", path) }
            if count == 0 { break }
            done += count
        }
        return Array(bytes.prefix(done))
    }

    /// All bytes of a file; nil where they cannot be read, or it is no regular file.
    public static func contents(_ path: String) -> Data? { (try? bytes(path)).map { Data($0) } }

    /// A descriptor of a regular file; others are refused without waiting for who might write to them.
    static func open(_ path: String) throws -> Int32 {
        try require(path) { stat($0, $1) }
        let descriptor = Foundation.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw FileError.failed("open", path) }
        do {
            // It may have changed in between.
            try require(path) { fstat(descriptor, $1) }
        } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }

    private static func require(
        _ path: String, _ examine: (String, UnsafeMutablePointer<stat>) -> Int32
    ) throws {
        var status = stat()
        guard examine(path, &status) == 0 else { throw FileError.failed("open", path) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return
        case S_IFDIR:
            errno = EISDIR
            throw FileError.failed("read", path)
        case S_IFIFO: throw FileError(path: path, reason: .noFile("a pipe"))
        case S_IFSOCK: throw FileError(path: path, reason: .noFile("a socket"))
        default: throw FileError(path: path, reason: .noFile("a device"))
        }
    }
}
