internal import Files
internal import Foundation

/// Lists and fetches what hubs keep.
public struct HubClient: Sendable {
    public let settings: HubSettings

    public init(_ settings: HubSettings) { self.settings = settings }

    /// Asks a hub what a repository holds.
    ///
    /// - Parameter revision: a branch, tag or commit; nil is the hub's main branch.
    /// - Throws: `HubError`, `CancellationError`.
    public func snapshot(
        of repository: Repository, revision: String? = nil, on hub: Hub,
        onEvent: @escaping @Sendable (DownloadEvent) -> Void = { _ in }
    ) async throws -> Snapshot {
        try refuseOffline(repository.id)
        let api = settings.api(hub)
        let revision = revision ?? hub.mainRevision
        return try await Cancellation.onThread { cancellation in
            let asker = HubAsker(
                session: try HTTPSession(settings, cancellation),
                retrying: Retrying(settings, cancellation, attemptsUnanswered: 3) {
                    onEvent(.waiting(seconds: $0, because: $1))
                },
                hub: hub, credentials: try api.credentials())
            do {
                let snapshot = try api.snapshot(of: repository, revision: revision, by: asker)
                if let file = snapshot.files.first(where: { !$0.isSafe }) {
                    throw HubError(
                        repository.id, .badAnswer("the hub lists a file named '\(file.path)'"))
                }
                return snapshot
            } catch let error as HTTPError {
                throw api.explain(error, (repository, revision))
            }
        }
    }

    /// Fetches files in parallel parts; those that are here already are left alone.
    ///
    /// What an earlier attempt left is continued, and what this one leaves when it fails or is
    /// cancelled is kept for the next. A file appears under its name when its sum is right.
    ///
    /// - Returns: the folder in which the repository's paths are found.
    /// - Throws: `HubError`, `FileError`, `CancellationError`.
    @discardableResult
    public func download(
        _ files: [RemoteFile], of snapshot: Snapshot, to destination: Destination,
        onEvent: @escaping @Sendable (DownloadEvent) -> Void = { _ in }
    ) async throws -> String {
        let api = settings.api(snapshot.hub)
        let transfers = try plan(files, of: snapshot, to: destination)
        if !transfers.isEmpty {
            try refuseOffline(snapshot.repository.id)
            let bytes = transfers.reduce(0) { $0 + $1.file.size }
            let present = transfers.reduce(0) { $0 + $1.presentBytes }
            try Self.checkRoom(for: bytes - present, in: destination.folder(of: snapshot))
            onEvent(.began(files: transfers.count, bytes: bytes, present: present))
            let queue = TransferQueue(transfers, present: present, onEvent: onEvent)
            try await run(queue, api, snapshot)
        }
        try destination.pin(snapshot)
        return destination.folder(of: snapshot)
    }

    private func run(
        _ queue: TransferQueue, _ api: any HubAPI, _ snapshot: Snapshot
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<max(1, settings.connections) {
                group.addTask {
                    try await Cancellation.onThread { cancellation in
                        do {
                            try queue.work(settings, api, cancellation)
                        } catch let error as HTTPError {
                            throw api.explain(error, (snapshot.repository, snapshot.revision))
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    /// The files that are to be fetched; what a cache has under another name is linked.
    private func plan(
        _ files: [RemoteFile], of snapshot: Snapshot, to destination: Destination
    ) throws -> [FileTransfer] {
        let api = settings.api(snapshot.hub)
        return try files.compactMap { file in
            let places = destination.places(of: file, in: snapshot)
            if places.hold(size: file.size) { return nil }
            let transfer = FileTransfer(
                file, places: places, address: api.address(of: file.path, in: snapshot),
                partSize: settings.partSize)
            guard places.contentHolds(size: file.size) else { return transfer }
            try transfer.linkToContent()
            return nil
        }
    }

    private func refuseOffline(_ id: String) throws {
        guard let because = settings.offlineBecause else { return }
        throw HubError(id, .offline(because: because, searched: []))
    }

    private static func checkRoom(for needed: Int, in folder: String) throws {
        var place = URL(fileURLWithPath: folder)
        while !FileManager.default.fileExists(atPath: place.path), place.path != "/" {
            place.deleteLastPathComponent()
        }
        let free = try DiskSpace.free(at: place.path)
        guard needed <= free else {
            throw HubError(folder, .diskFull(folder: place.path, needed: needed, free: free))
        }
    }
}
