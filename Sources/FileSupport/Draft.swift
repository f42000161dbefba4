internal import CFiles
import Foundation
import Synchronization

/// The hidden neighbor `.name.draft.XXXXXX` that a file or folder is until it is complete.
///
/// Who writes it holds a lock on it. One that nobody holds was left by a program that was killed.
enum Draft {
    /// Tells drafts from other hidden files, which may be anybody's.
    private static let mark = ".draft"

    /// The part of a name that its draft has; a long one is cut, as file systems allow only so much.
    private static func name(for path: String) -> String {
        var name = path.split(separator: "/").last.map(String.init) ?? path
        while name.utf8.count > 200 { name.removeLast() }
        return name + mark
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

    /// Drafts in the folders that this process has written to, by the names they are of: a folder of
    /// many files is looked through once.
    private static let known = Mutex<[String: [String: [String]]]>([:])

    /// Removes drafts of the name that is about to be written, where nobody holds them.
    static func discardAbandoned(of path: String) {
        let (folder, name) = (AtomicFile.folder(of: path), name(for: path))
        known.withLock { known in
            if known[folder] == nil { known[folder] = drafts(in: folder) }
            known[folder]?[name]?.removeAll(where: discard)
        }
    }

    /// Removes drafts of these names that nobody holds; earlier versions had no mark.
    static func discardAbandoned(in folder: String, where isMeant: (String) -> Bool) {
        for (name, drafts) in drafts(in: folder)
        where isMeant(name.hasSuffix(mark) ? String(name.dropLast(mark.count)) : name) {
            for draft in drafts { _ = discard(draft) }
        }
    }

    private static func drafts(in folder: String) -> [String: [String]] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.reduce(into: [:]) { all, name in
            guard name.hasPrefix("."), name.utf8.count > 8, name.dropLast(6).hasSuffix(".") else {
                return
            }
            all[String(name.dropFirst().dropLast(7)), default: []].append(folder + "/" + name)
        }
    }

    /// - Returns: whether it is gone.
    private static func discard(_ draft: String) -> Bool {
        let descriptor = open(draft, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
        guard descriptor >= 0 else { return true }
        defer { close(descriptor) }
        guard cf_lock(descriptor, 0) != 0 else { return false }
        return (try? FileManager.default.removeItem(atPath: draft)) != nil
    }
}
