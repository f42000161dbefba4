import Foundation
import TestSupport

/// A folder on a file system of its own that holds little, until ``unmount()``.
struct SmallDisk {
    let path: String

    /// - Throws: where none can be mounted; see ``isAvailable``.
    init(_ folder: TemporaryFolder, size: String) throws {
        path = folder.file("small")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        guard try shell("mount -t tmpfs -o size=\(size) tmpfs \(path)") == 0 else {
            throw CocoaError(.fileWriteNoPermission)
        }
    }

    func unmount() { _ = try? shell("umount \(path)") }

    /// Whether a file system can be mounted here, which takes a privileged user on Linux.
    static let isAvailable: Bool = {
        guard let folder = try? TemporaryFolder(),
            let disk = try? SmallDisk(folder, size: "16k")
        else { return false }
        disk.unmount()
        return true
    }()
}

/// - Returns: the status of a command, of which nothing is shown.
private func shell(_ command: String) throws -> Int32 {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", command]
    process.standardError = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus
}
