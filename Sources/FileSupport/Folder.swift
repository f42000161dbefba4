import Foundation

/// Making of folders.
public enum Folder {
    /// Makes a folder and those that it lies in, unless they are there.
    ///
    /// - Throws: `FileError` naming the one that cannot be made.
    public static func make(_ path: String) throws {
        guard !path.isEmpty, mkdir(path, 0o777) != 0, errno != EEXIST || !isFolder(path) else {
            return
        }
        if errno == ENOENT {
            let parent = parent(of: path)
            guard parent != path else { throw FileError.failed("make the folder", path) }
            try make(parent)
            if mkdir(path, 0o777) == 0 || (errno == EEXIST && isFolder(path)) { return }
        }
        throw FileError.failed("make the folder", path)
    }

    /// Makes the folder that a file is to lie in.
    ///
    /// - Throws: `FileError`.
    public static func make(for file: String) throws {
        let parent = parent(of: file)
        if parent != "." { try make(parent) }
    }

    /// Finds out, before long work and without making anything, whether a folder is there and can be
    /// written, or could be made.
    ///
    /// - Throws: `FileError` naming what is in the way.
    public static func checkWritable(_ path: String) throws {
        var place = path
        while access(place, F_OK) != 0, errno == ENOENT, parent(of: place) != place {
            place = parent(of: place)
        }
        guard isFolder(place) else {
            errno = ENOTDIR
            throw FileError.failed("make the folder", path)
        }
        guard access(place, W_OK) == 0 else { throw FileError.failed("write into", place) }
    }

    private static func parent(of path: String) -> String {
        let trimmed = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        guard let slash = trimmed.lastIndex(of: "/") else { return "." }
        return slash == trimmed.startIndex ? "/" : String(trimmed[..<slash])
    }

    private static func isFolder(_ path: String) -> Bool {
        let code = errno
        defer { errno = code }
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
}
