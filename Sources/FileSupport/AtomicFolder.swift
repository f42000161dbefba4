internal import CFiles
import Foundation
import Synchronization

/// Making of folders that appear complete or not at all.
///
/// Files go into a hidden neighbor first, which takes the final name last. A failure, or an
/// interruption that calls ``AtomicFile/discardPending()``, leaves what was there before.
public enum AtomicFolder {
    /// Makes a folder and what is in it.
    ///
    /// - Parameters:
    ///   - path: the folder; it lies in one that is there.
    ///   - overwrite: whether a folder of that name may be replaced, with all that is in it.
    ///   - body: is given the neighbor, empty, and fills it.
    /// - Throws: `FileError`, or what `body` throws.
    public static func write<Result>(
        _ path: String, overwrite: Bool = false, _ body: (String) throws -> Result
    ) throws -> Result {
        try checkWritable(path, overwrite: overwrite)
        let draft = try makeDraft(for: path)
        defer { discard(draft) }
        let result = try body(draft)
        try publish(draft, as: path, overwrite: overwrite)
        return result
    }

    /// Finds out before long work whether a folder could be made at its end.
    ///
    /// - Throws: `FileError` when it exists and may not be replaced, or the one it lies in refuses.
    public static func checkWritable(_ path: String, overwrite: Bool = false) throws {
        guard exists(path) else {
            return try AtomicFile.checkWritable(path, overwrite: false)
        }
        guard overwrite else { throw FileError(path: path, reason: .exists) }
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            throw FileError(path: path, reason: .failed(action: "replace", code: ENOTDIR))
        }
        guard access(AtomicFile.folder(of: path), W_OK) == 0 else {
            throw FileError.failed("write into", AtomicFile.folder(of: path))
        }
    }

    /// Removes every folder that is half-filled.
    static func discardPending() {
        for draft in drafts.withLock({ Array($0.keys) }) { discard(draft) }
    }

    /// Drafts, each with a descriptor that holds its lock.
    private static let drafts = Mutex<[String: Int32]>([:])

    private static func exists(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0
    }

    private static func makeDraft(for path: String) throws -> String {
        Draft.discardAbandoned(of: path)
        var template = Array(Draft.template(for: path).utf8CString)
        guard mkdtemp(&template) != nil else { throw FileError.failed("make the folder", path) }
        let draft = Draft.path(template)
        let lock = open(draft, O_RDONLY | O_CLOEXEC)
        guard lock >= 0, Draft.claim(lock) else { throw FileError.failed("make the folder", path) }
        drafts.withLock { $0[draft] = lock }
        // mkdtemp makes folders for their owner alone; take what the user's mask allows instead.
        chmod(draft, 0o777 & ~AtomicFile.userMask())
        return draft
    }

    private static func publish(_ draft: String, as path: String, overwrite: Bool) throws {
        guard exists(path) else {
            try move(draft, to: path, path)
            return forget(draft)
        }
        // It may have come in the meantime.
        guard overwrite else { throw FileError(path: path, reason: .exists) }
        // The old one is the draft then, and goes as such.
        guard cf_exchange(draft, path) != 0 else { return AtomicFile.flushFolder(of: path) }
        // Under this name nothing takes it for abandoned.
        let old = draft + ".previous"
        try move(path, to: old, path)
        do {
            try move(draft, to: path, path)
        } catch {
            // What was there before comes back under its name.
            rename(old, path)
            throw error
        }
        forget(draft)
        try? FileManager.default.removeItem(atPath: old)
    }

    private static func move(_ source: String, to target: String, _ path: String) throws {
        guard rename(source, target) == 0 else { throw FileError.failed("write", path) }
        AtomicFile.flushFolder(of: path)
    }

    private static func discard(_ draft: String) {
        // There is none where it has taken its name.
        try? FileManager.default.removeItem(atPath: draft)
        forget(draft)
    }

    private static func forget(_ draft: String) {
        let lock = drafts.withLock { $0.removeValue(forKey: draft) }
        if let lock { close(lock) }
    }
}
