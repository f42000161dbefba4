internal import FileSupport
internal import Foundation
internal import Synchronization

/// One file on its way, part by part; several threads work on it.
final class FileTransfer: Sendable {
    let file: RemoteFile
    let snapshot: Snapshot
    let places: CachePaths
    let address: String
    private let partSize: Int
    private let record: ChecksumCache?

    /// What a thread can do for the file.
    enum Work {
        case fetch(part: Int)
        /// All bytes are here.
        case publish
    }

    private struct State {
        var partial: PartialFile?
        /// Parts that nobody has begun.
        var waiting: [Int] = []
        var working = 0
        /// A thread is giving the file its name, or has.
        var isPublished = false
        /// The server sends whole files only; one thread takes it all.
        var isStreamed = false
        var isRepeated = false
    }

    private let state = Mutex(State())

    init(
        _ file: RemoteFile, of snapshot: Snapshot, places: CachePaths, address: String,
        partSize: Int, record: ChecksumCache?
    ) {
        self.file = file
        self.snapshot = snapshot
        self.places = places
        self.address = address
        self.partSize = partSize
        self.record = record
    }

    /// Bytes that an earlier attempt left.
    var presentBytes: Int {
        guard FileManager.default.fileExists(atPath: places.partial) else { return 0 }
        return (try? open().byteCount) ?? 0
    }

    /// The next thing to do; nil when others do all there is.
    func takeWork() throws -> Work? {
        guard !state.withLock({ $0.isPublished }) else { return nil }
        let partial = try open()
        return state.withLock { state in
            if let part = state.waiting.popLast() {
                state.working += 1
                return .fetch(part: part)
            }
            // A part that failed stays open; then there is nothing to publish.
            guard state.working == 0, !state.isPublished, partial.openParts.isEmpty else {
                return nil
            }
            state.isPublished = true
            return .publish
        }
    }

    /// Says that a part is done, or given up.
    func endPart() { state.withLock { $0.working -= 1 } }

    /// The file that takes the bytes.
    func open() throws -> PartialFile {
        try state.withLock { state in
            if let partial = state.partial { return partial }
            try Folder.make(for: places.partial)
            let partial = try PartialFile(
                path: places.partial, size: file.size, partSize: partSize,
                isChecked: file.checksum != nil)
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
        if let listed = file.checksum {
            let found = try Checksum.of(places.partial, listed.kind, size: file.size) {
                !cancellation.isCancelled
            }
            guard found == listed else { return try startOver(listed, found) }
        }
        try partial.complete()
        try Folder.make(for: places.content)
        guard rename(places.partial, places.content) == 0 else {
            throw FileError.failed("write", places.content)
        }
        try linkToContent()
        record?.note(file)
        state.withLock { $0.partial = nil }
        return true
    }

    private func startOver(_ listed: Checksum, _ found: Checksum) throws -> Bool {
        unlink(places.partial)
        let isFirst = state.withLock { state in
            defer { state.isRepeated = true }
            state.partial = nil
            state.isStreamed = false
            state.isPublished = state.isRepeated
            return !state.isRepeated
        }
        guard isFirst else {
            throw HubError(
                file.path,
                .sumDiffers(
                    kind: listed.kind.title, listed: listed.value, found: found.value))
        }
        return false
    }

    /// Puts the link in place, where the bytes lie elsewhere.
    func linkToContent() throws {
        guard let link = places.link else { return }
        try Folder.make(for: places.path)
        let draft = places.path + ".link"
        unlink(draft)
        guard symlink(link, draft) == 0, rename(draft, places.path) == 0 else {
            throw FileError.failed("write", places.path)
        }
    }
}
