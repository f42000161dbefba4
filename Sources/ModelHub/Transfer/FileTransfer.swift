internal import Files
internal import Foundation
internal import Synchronization

/// One file on its way, part by part; several threads work on it.
final class FileTransfer: Sendable {
    let file: RemoteFile
    let places: FilePlaces
    let address: String

    private struct State {
        var partial: PartialFile?
        /// Parts that nobody has begun; nil before the file is opened.
        var waiting: [Int]?
        var working = 0
        /// The server sends whole files only; one thread takes it all.
        var isStreamed = false
        var isRepeated = false
    }

    private let state = Mutex(State())

    init(_ file: RemoteFile, places: FilePlaces, address: String) {
        self.file = file
        self.places = places
        self.address = address
    }

    /// Bytes that an earlier attempt left.
    var presentBytes: Int {
        guard FileManager.default.fileExists(atPath: places.partial) else { return 0 }
        return (try? open().byteCount) ?? 0
    }

    /// The next part to work on; nil when all are taken.
    func takePart() throws -> Int? {
        _ = try open()
        return state.withLock { state in
            guard let part = state.waiting?.popLast() else { return nil }
            state.working += 1
            return part
        }
    }

    /// Says that a part is done; true for the thread that ended the last one.
    func endPart() -> Bool {
        state.withLock { state in
            state.working -= 1
            return state.working == 0 && state.waiting?.isEmpty == true
        }
    }

    /// The file that takes the bytes.
    func open() throws -> PartialFile {
        try state.withLock { state in
            if let partial = state.partial { return partial }
            try Self.makeFolder(of: places.partial)
            let partial = try PartialFile(path: places.partial, size: file.size)
            state.partial = partial
            // Taken from the end.
            state.waiting = partial.openParts.reversed()
            return partial
        }
    }

    /// Gives the whole file to the thread that asks first; false for the others.
    func claimStream() throws -> Bool {
        let mine = state.withLock { state in
            guard !state.isStreamed else { return false }
            state.isStreamed = true
            state.waiting = []
            return true
        }
        if mine { try open().restart() }
        return mine
    }

    var isStreamed: Bool { state.withLock { $0.isStreamed } }

    /// Checks the bytes and gives the file its name.
    ///
    /// - Returns: false when the sum is wrong for the first time, and all parts wait again.
    func publish(_ cancellation: Cancellation) throws -> Bool {
        let partial = try open()
        try partial.complete()
        if let listed = file.checksum {
            let found = try Checksum.of(places.partial, listed.kind) { !cancellation.isCancelled }
            guard found == listed else { return try startOver(listed, found) }
        }
        try Self.makeFolder(of: places.content)
        guard rename(places.partial, places.content) == 0 else {
            throw FileError.failed("write", places.content)
        }
        try linkToContent()
        state.withLock { $0.partial = nil }
        return true
    }

    private func startOver(_ listed: Checksum, _ found: Checksum) throws -> Bool {
        unlink(places.partial)
        let again = state.withLock { state in
            state.partial = nil
            defer { state.isRepeated = true }
            state.isStreamed = false
            return !state.isRepeated
        }
        guard again else {
            throw HubError(
                file.path,
                .sumDiffers(
                    kind: listed.kind == .sha256 ? "SHA-256" : "Git's sum", listed: listed.value,
                    found: found.value))
        }
        return false
    }

    /// Puts the link in place, where the bytes lie elsewhere.
    func linkToContent() throws {
        guard let link = places.link else { return }
        try Self.makeFolder(of: places.path)
        let draft = places.path + ".link"
        unlink(draft)
        guard symlink(link, draft) == 0, rename(draft, places.path) == 0 else {
            throw FileError.failed("write", places.path)
        }
    }

    private static func makeFolder(of path: String) throws {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        let folder = parts.dropLast().joined(separator: "/")
        guard !folder.isEmpty else { return }
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw FileError(path: folder, reason: .failed(action: "make the folder", code: EACCES))
        }
    }
}
