import Foundation

/// A folder that no other process claims as long as the object lives.
///
/// The claim is a lock on a hidden file in the folder. The system lets it go however the process
/// ends, so that a file which a killed process has left claims nothing.
public final class FolderClaim: Sendable {
    /// Why nothing keeps other processes out, where the file system knows no locks.
    public let obstacle: String?
    private let path: String
    private let descriptor: Int32

    /// Claims a folder, which has to be there and to let files be made in it.
    ///
    /// - Returns: nil where another process has claimed it.
    /// - Throws: `FileError` where no file can be made in the folder.
    public init?(_ folder: String) throws {
        path = folder + "/.flux2.lock"
        while true {
            let opened = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
            guard opened >= 0 else { throw FileError.failed("write into", folder) }
            let code = flock(opened, LOCK_EX | LOCK_NB) == 0 ? 0 : errno
            if code == EWOULDBLOCK {
                close(opened)
                return nil
            }
            // Who had the file may have removed it before it was locked here.
            if code == 0, !Self.isSame(opened, path) {
                close(opened)
                continue
            }
            descriptor = opened
            obstacle = code == 0 ? nil : String(cString: strerror(code)).lowercased()
            return
        }
    }

    deinit {
        unlink(path)
        close(descriptor)
    }

    private static func isSame(_ descriptor: Int32, _ path: String) -> Bool {
        var (opened, named) = (stat(), stat())
        return fstat(descriptor, &opened) == 0 && stat(path, &named) == 0
            && opened.st_ino == named.st_ino && opened.st_dev == named.st_dev
    }
}
