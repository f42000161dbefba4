import Foundation
import Synchronization

/// Writing of files that appear complete or not at all.
///
/// Bytes go to a hidden neighbour first, are flushed to the disk, and take the final name last. A
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
        for draft in drafts.withLock({ $0 }) { discard(draft) }
        AtomicFolder.discardPending()
    }

    /// Removes what a program that was killed has left half-written in a folder.
    ///
    /// - Parameter isMeant: whether files of a name, without its folder, are written by nobody else.
    public static func discardAbandoned(in folder: String, where isMeant: (String) -> Bool) {
        let own = drafts.withLock { $0 }
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
            let draft = folder + "/" + name
            // `.name.XXXXXX`, as `openDraft` makes them.
            guard name.hasPrefix("."), name.count > 8, name.dropLast(6).hasSuffix("."),
                isMeant(String(name.dropFirst().dropLast(7))), !own.contains(draft)
            else { continue }
            unlink(draft)
        }
    }

    private static let drafts = Mutex<Set<String>>([])

    private static func openDraft(for path: String) throws -> (Int32, String) {
        let name = path.split(separator: "/").last.map(String.init) ?? path
        // A long name is cut so that the draft's is not longer than file systems allow.
        var template = Array("\(folder(of: path))/.\(name.prefix(80)).XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw FileError.failed("write", path) }
        let draft = String(
            decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        drafts.withLock { _ = $0.insert(draft) }
        // mkstemp makes files for their owner alone; take what the user's mask allows instead.
        fchmod(descriptor, 0o666 & ~userMask())
        return (descriptor, draft)
    }

    private static func publish(_ draft: String, as path: String, overwrite: Bool) throws {
        // Unlike rename, link refuses a name that was taken in the meantime.
        let status = overwrite ? rename(draft, path) : link(draft, path)
        let code = errno
        if status != 0 || !overwrite { unlink(draft) }
        drafts.withLock { _ = $0.remove(draft) }
        guard status == 0 else {
            if code == EEXIST { throw FileError(path: path, reason: .exists) }
            throw FileError(path: path, reason: .failed(action: "write", code: code))
        }
        flushFolder(of: path)
    }

    private static func discard(_ draft: String) {
        unlink(draft)
        drafts.withLock { _ = $0.remove(draft) }
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
