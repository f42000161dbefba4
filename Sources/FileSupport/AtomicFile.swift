internal import CFiles
import Foundation
import Synchronization

/// Writing of files that appear complete or not at all.
///
/// Bytes go to a hidden neighbor first, are flushed to the disk, and take the final name last. A
/// failure, or an interruption that calls ``discardPending()``, leaves what was there before.
public enum AtomicFile {
    /// Writes a file through a descriptor.
    ///
    /// - Parameters:
    ///   - overwrite: whether a file of that name may be replaced.
    ///   - body: writes all bytes to the descriptor, which it must not close.
    /// - Throws: `FileError`, or what `body` throws.
    public static func write(
        _ path: String, overwrite: Bool = true, _ body: (Int32) throws -> Void
    ) throws {
        try checkWritable(path, overwrite: overwrite)
        let (descriptor, draft) = try openDraft(for: path)
        do {
            defer { close(descriptor) }
            try body(descriptor)
            guard fsync(descriptor) == 0 else { throw FileError.failed("write", path) }
        } catch {
            discard(draft)
            throw error
        }
        try publish(draft, as: path, overwrite: overwrite)
    }

    /// Writes a file of known content.
    public static func write(
        _ path: String, bytes: some Collection<UInt8>, overwrite: Bool = true
    ) throws {
        try write(path, overwrite: overwrite) { descriptor in
            let done: Void? = try bytes.withContiguousStorageIfAvailable {
                try append(UnsafeRawBufferPointer($0), to: descriptor, of: path)
            }
            if done == nil {
                try Array(bytes).withUnsafeBytes { try append($0, to: descriptor, of: path) }
            }
        }
    }

    /// Writes all bytes to a descriptor, in as many pieces as the system likes.
    ///
    /// - Throws: `FileError` naming `path`.
    public static func append(
        _ bytes: UnsafeRawBufferPointer, to descriptor: Int32, of path: String
    ) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Foundation.write(
                descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw FileError.failed("write", path)
            }
            rest = rest.dropFirst(count)
        }
    }

    /// Finds out before long work whether a file could be written at its end.
    ///
    /// - Throws: `FileError` when it exists and may not be replaced, or its folder refuses.
    public static func checkWritable(_ path: String, overwrite: Bool = true) throws {
        var status = stat()
        if stat(path, &status) == 0 {
            if !overwrite { throw FileError(path: path, reason: .exists) }
            if status.st_mode & S_IFMT == S_IFDIR {
                errno = EISDIR
                throw FileError.failed("write", path)
            }
        }
        let folder = folder(of: path)
        guard access(folder, F_OK) == 0 else { throw FileError.failed("write into", folder) }
        guard access(folder, W_OK) == 0 else { throw FileError.failed("write into", folder) }
    }

    /// Removes everything half-written, folders included, for a program that is about to end.
    public static func discardPending() {
        for draft in drafts.withLock({ Array($0.keys) }) { discard(draft) }
        AtomicFolder.discardPending()
    }

    /// Removes what programs that were killed have left half-written in a folder.
    ///
    /// - Parameter isMeant: whether drafts of a name, without its folder, may go.
    public static func discardAbandoned(in folder: String, where isMeant: (String) -> Bool) {
        Draft.discardAbandoned(in: folder, where: isMeant)
    }

    /// Drafts, and under which number each is noted for the case of a fault.
    private static let drafts = Mutex<[String: Int32]>([:])

    private static func openDraft(for path: String) throws -> (Int32, String) {
        Draft.discardAbandoned(of: path)
        while true {
            var template = Array(Draft.template(for: path).utf8CString)
            let descriptor = mkstemp(&template)
            guard descriptor >= 0 else { throw FileError.failed("write", path) }
            guard Draft.claim(descriptor) else {
                close(descriptor)
                continue
            }
            let draft = Draft.path(template)
            drafts.withLock { $0[draft] = cf_note_draft(draft) }
            // mkstemp makes files for their owner alone; take what the user's mask allows instead.
            fchmod(descriptor, 0o666 & ~userMask())
            return (descriptor, draft)
        }
    }

    private static func publish(_ draft: String, as path: String, overwrite: Bool) throws {
        // What appears under the name in the meantime stays, unless it may be replaced.
        let status = overwrite ? rename(draft, path) : cf_rename_new(draft, path)
        let code = errno
        if status != 0 { unlink(draft) }
        forget(draft)
        guard status == 0 else {
            if code == EEXIST { throw FileError(path: path, reason: .exists) }
            throw FileError(path: path, reason: .failed(action: "write", code: code))
        }
        flushFolder(of: path)
    }

    private static func discard(_ draft: String) {
        unlink(draft)
        forget(draft)
    }

    private static func forget(_ draft: String) {
        let note = drafts.withLock { $0.removeValue(forKey: draft) }
        if let note { cf_forget(note) }
    }

    /// Makes the new name itself last; file systems that cannot do this do not need it.
    package static func flushFolder(of path: String) {
        let descriptor = open(folder(of: path), O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        _ = fsync(descriptor)
        close(descriptor)
    }

    /// What the user takes away from the rights of new files.
    static func userMask() -> mode_t {
        let mask = umask(0)
        umask(mask)
        return mask
    }

    /// The folder that a path's last name lies in.
    public static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
