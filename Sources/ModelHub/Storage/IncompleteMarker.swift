internal import FileSupport
internal import Foundation

/// A note in a folder of which files are still to come, so that half of a model is not taken for
/// the whole; it stays when a download is interrupted.
public enum IncompleteMarker {
    private static func path(_ folder: String) -> String { folder + "/.flux2/fetching" }

    /// The repository's paths that are still to come.
    static func open(in folder: String) -> Set<String> {
        guard let bytes = WholeFile.contents(path(folder)) else { return [] }
        return Set(String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init))
    }

    /// Whether a file that fits a pattern is still to come.
    ///
    /// - Parameter pattern: as ``FilePattern`` reads it; a slash at the end means a folder.
    public static func isOpen(in folder: String, for pattern: String) -> Bool {
        let pattern = FilePattern(pattern)
        return open(in: folder).contains(where: pattern.matches)
    }

    /// - Throws: `FileError`.
    static func begin(_ paths: some Sequence<String>, in folder: String) throws {
        try write(open(in: folder).union(paths), in: folder)
    }

    /// - Throws: `FileError`.
    static func end(_ paths: some Sequence<String>, in folder: String) throws {
        let rest = open(in: folder).subtracting(paths)
        if rest.isEmpty {
            unlink(path(folder))
            rmdir(folder + "/.flux2")
        } else {
            try write(rest, in: folder)
        }
    }

    private static func write(_ paths: Set<String>, in folder: String) throws {
        let file = path(folder)
        try Folder.make(for: file)
        let text = paths.sorted().map { $0 + "\n" }.joined()
        try AtomicFile.write(file, bytes: Array(text.utf8))
    }
}
