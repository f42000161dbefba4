internal import CFiles
import Foundation

/// The hidden neighbour `.name.XXXXXX` that a file or folder is until it is complete.
///
/// Who writes it holds a lock on it. One that nobody holds was left by a program that was killed.
enum Draft {
    /// The part of a name that its draft has; a long one is cut, as file systems allow only so much.
    static func name(for path: String) -> String {
        String((path.split(separator: "/").last.map(String.init) ?? path).prefix(80))
    }

    /// What `mkstemp` and `mkdtemp` fill in.
    static func template(for path: String) -> String {
        "\(AtomicFile.folder(of: path))/.\(name(for: path)).XXXXXX"
    }

    /// What they filled in.
    static func path(_ template: [CChar]) -> String {
        String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// Locks a draft that was just made; false where it was taken for an abandoned one before.
    static func claim(_ descriptor: Int32) -> Bool {
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        // Some file systems have no locks; there nothing is ever taken for abandoned.
        _ = cf_lock(descriptor, 1)
        var status = stat()
        return fstat(descriptor, &status) != 0 || status.st_nlink > 0
    }

    /// Removes drafts of these names that nobody holds.
    static func discardAbandoned(in folder: String, where isMeant: (String) -> Bool) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        where name.hasPrefix(".") && name.utf8.count > 8 && name.dropLast(6).hasSuffix(".") {
            if isMeant(String(name.dropFirst().dropLast(7))) { discard(folder + "/" + name) }
        }
    }

    private static func discard(_ draft: String) {
        let descriptor = open(draft, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        guard cf_lock(descriptor, 0) != 0 else { return }
        try? FileManager.default.removeItem(atPath: draft)
    }
}
