internal import FileSupport
internal import Foundation
internal import Synchronization

/// Which sums files in a folder had, so that a large one is read once and not with each download.
///
/// A file counts as known as long as its size and its time of writing are those noted.
final class ChecksumCache: Sendable {
    private struct Entry: Codable, Equatable {
        var size: Int
        /// Nanoseconds since 1970.
        var written: Int
        var sum: String
    }

    private let folder: String
    private let entries: Mutex<[String: Entry]>

    init(folder: String) {
        self.folder = folder
        let data = WholeFile.contents(Self.path(folder))
        let read = data.flatMap { try? JSONDecoder().decode([String: Entry].self, from: $0) }
        entries = Mutex(read ?? [:])
    }

    private static func path(_ folder: String) -> String { folder + "/.flux2/sums.json" }

    /// Whether a file with the listed bytes is there; sums it up if that is not known.
    ///
    /// - Throws: `FileError`, `CancellationError`.
    func holds(
        _ file: RemoteFile, while goesOn: () -> Bool, onSum: (String) -> Void
    ) throws -> Bool {
        let path = folder + "/" + file.path
        guard let (size, written) = Self.status(path), size == file.size else { return false }
        guard let checksum = file.checksum else { return true }
        let sum = Self.text(checksum)
        let known = entries.withLock { $0[file.path] }
        if let known, known.size == size, known.written == written,
            Self.isSum(known.sum, of: checksum.kind)
        {
            return known.sum == sum
        }
        onSum(path)
        let found = try Checksum.of(path, checksum.kind, while: goesOn)
        note(file.path, Entry(size: size, written: written, sum: Self.text(found)))
        return found == checksum
    }

    /// Notes a file whose sum was found right.
    func note(_ file: RemoteFile) {
        guard let checksum = file.checksum,
            let (size, written) = Self.status(folder + "/" + file.path)
        else { return }
        note(file.path, Entry(size: size, written: written, sum: Self.text(checksum)))
    }

    private func note(_ path: String, _ entry: Entry) { entries.withLock { $0[path] = entry } }

    /// - Throws: `FileError`.
    func save() throws {
        let entries = entries.withLock { $0 }
        guard !entries.isEmpty else { return }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let data = try encoder.encode(entries)
        let path = Self.path(folder)
        if WholeFile.contents(path) == data { return }
        try Folder.make(for: path)
        try AtomicFile.write(path, bytes: Array(data))
    }

    private static func text(_ checksum: Checksum) -> String {
        checksum.kind.rawValue + ":" + checksum.value
    }

    /// Whether a note is a sum of this kind; what cannot be read says nothing of the file.
    private static func isSum(_ text: String, of kind: Checksum.Kind) -> Bool {
        let prefix = kind.rawValue + ":"
        return text.hasPrefix(prefix) && Checksum(kind, String(text.dropFirst(prefix.count))) != nil
    }

    private static func status(_ path: String) -> (size: Int, written: Int)? {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        #if os(Linux)
            let time = status.st_mtim
        #else
            let time = status.st_mtimespec
        #endif
        return (Int(status.st_size), Int(time.tv_sec) &* 1_000_000_000 &+ Int(time.tv_nsec))
    }
}
