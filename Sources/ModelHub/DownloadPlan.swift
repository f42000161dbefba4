internal import FileSupport
internal import Foundation

/// Files of one repository that are to be at one place.
public struct DownloadJob: Sendable {
    /// Those of the snapshot that are wanted.
    public var files: [RemoteFile]
    /// What the repository holds at the commit that they are of.
    public var snapshot: Snapshot
    /// Where they go.
    public var destination: Destination

    /// - Parameter files: those of the snapshot that are wanted.
    public init(_ files: [RemoteFile], of snapshot: Snapshot, to destination: Destination) {
        self.files = files
        self.snapshot = snapshot
        self.destination = destination
    }

    var folder: String { destination.folder(of: snapshot) }
}

/// What of some jobs is still to be fetched.
struct DownloadPlan: Sendable {
    /// One for each content; what several files share is fetched once.
    private(set) var transfers: [FileTransfer] = []
    private let jobs: [(job: DownloadJob, record: ChecksumCache?)]
    private let onEvent: @Sendable (DownloadEvent) -> Void

    /// Looks at what is there; what a cache has under another name is linked.
    ///
    /// - Throws: `FileError`, `CancellationError`.
    init(
        _ jobs: [DownloadJob], _ settings: HubSettings, _ cancellation: Cancellation,
        onEvent: @escaping @Sendable (DownloadEvent) -> Void
    ) throws {
        self.onEvent = onEvent
        self.jobs = jobs.map { job in
            guard case .folder(let folder) = job.destination else { return (job, nil) }
            return (job, ChecksumCache(folder: folder))
        }
        try look(settings, cancellation)
    }

    /// Looks again, so that files that share their content with fetched ones get their links.
    mutating func look(_ settings: HubSettings, _ cancellation: Cancellation) throws {
        transfers = []
        var seen: Set<String> = []
        for (job, record) in jobs {
            let api = settings.api(job.snapshot.hub)
            for file in job.files {
                guard !cancellation.isCancelled else { throw CancellationError() }
                let places = job.destination.places(of: file, in: job.snapshot)
                if try isThere(file, places, record, cancellation) { continue }
                let transfer = FileTransfer(
                    file, of: job.snapshot, places: places,
                    address: api.address(of: file.path, in: job.snapshot),
                    partSize: settings.partSize, record: record)
                if places.link != nil, places.contentHolds(size: file.size) {
                    try transfer.linkToContent()
                } else if seen.insert(places.partial).inserted {
                    transfers.append(transfer)
                }
            }
        }
    }

    private func isThere(
        _ file: RemoteFile, _ places: CachePaths, _ record: ChecksumCache?,
        _ cancellation: Cancellation
    ) throws -> Bool {
        guard places.hold(size: file.size) else { return false }
        guard let record else { return true }
        return try record.holds(file) {
            !cancellation.isCancelled
        } onSum: {
            onEvent(.checking(path: $0))
        }
    }

    var bytes: Int { transfers.reduce(0) { $0 + $1.file.size } }
    var presentBytes: Int { transfers.reduce(0) { $0 + $1.presentBytes } }

    /// - Throws: `HubError` when a disk has not enough room for all that goes there.
    func checkRoom() throws {
        var needed: [UInt: (bytes: Int, place: String)] = [:]
        for transfer in transfers {
            let place = Self.existing(transfer.places.partial)
            var status = stat()
            guard stat(place, &status) == 0 else { continue }
            needed[UInt(status.st_dev), default: (0, place)].bytes +=
                transfer.file.size - transfer.presentBytes
        }
        for (bytes, place) in needed.values {
            let free = try DiskSpace.free(at: place)
            guard bytes <= free else {
                throw HubError(place, .diskFull(folder: place, needed: bytes, free: free))
            }
        }
    }

    /// The folder that is there of those that a path leads through.
    private static func existing(_ path: String) -> String {
        var place = URL(fileURLWithPath: path).deletingLastPathComponent()
        while !FileManager.default.fileExists(atPath: place.path), place.path != "/" {
            place.deleteLastPathComponent()
        }
        return place.path
    }

    /// Notes in the folders what is still to come.
    func mark() throws {
        for (job, _) in jobs { try IncompleteMarker.begin(job.files.map(\.path), in: job.folder) }
    }

    /// Takes the notes away, remembers sums and which commits the caches hold.
    func finish(pins: Bool) throws {
        for (job, record) in jobs {
            try IncompleteMarker.end(job.files.map(\.path), in: job.folder)
            try record?.save()
            if pins { try job.destination.pin(job.snapshot) }
        }
    }
}
