import Foundation

/// Room on disks.
public enum DiskSpace {
    /// The bytes that this user may still write in a folder.
    ///
    /// - Throws: `FileError` when the folder is not there.
    public static func free(at folder: String) throws -> Int {
        var status = statvfs()
        guard statvfs(folder, &status) == 0 else { throw FileError.failed("examine", folder) }
        return Int(status.f_bavail) * Int(status.f_frsize)
    }
}
