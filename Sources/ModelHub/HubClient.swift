/// Lists and fetches what hubs keep.
public struct HubClient: Sendable {
    /// Where hubs are, who asks them, and how patiently.
    public let settings: HubSettings

    /// Asks nothing yet.
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
            let request = HubRequest(
                session: try HTTPSession(settings, cancellation),
                retryPolicy: RetryPolicy(settings, cancellation, attemptsUnanswered: 3) {
                    onEvent(.waiting(seconds: $0, because: $1))
                },
                hub: hub, credentials: try api.credentials())
            do {
                let snapshot = try api.snapshot(of: repository, revision: revision, by: request)
                if let file = snapshot.files.first(where: { !$0.isSafe }) {
                    throw HubError(
                        repository.id, .badAnswer("the hub lists a file named '\(file.path)'"))
                }
                try snapshot.checkSizes()
                return snapshot
            } catch let error as HTTPError {
                throw api.explain(error, repository, revision: revision)
            }
        }
    }

    /// Fetches files in parallel parts; those that are here with the right sum are left alone.
    ///
    /// What an earlier attempt left is continued, and what this one leaves when it fails or is
    /// cancelled is kept for the next. A file appears under its name when its sum is right.
    ///
    /// - Parameters:
    ///   - jobs: of one hub.
    ///   - pins: whether caches remember the commits as those of their branches, so that the files
    ///     are found by the repository's name.
    /// - Throws: `HubError`, `FileError`, `CancellationError`.
    public func download(
        _ jobs: [DownloadJob], pins: Bool = true,
        onEvent: @escaping @Sendable (DownloadEvent) -> Void = { _ in }
    ) async throws {
        var plan = try await Cancellation.onThread {
            try DownloadPlan(jobs, settings, $0, onEvent: onEvent)
        }
        if !plan.transfers.isEmpty {
            try refuseOffline(jobs[0].snapshot.repository.id)
            try plan.checkRoom()
            let present = plan.presentBytes
            onEvent(.began(files: plan.transfers.count, bytes: plan.bytes, present: present))
            try plan.mark()
            let queue = TransferQueue(plan.transfers, present: present, onEvent: onEvent)
            try await run(queue, settings.api(jobs[0].snapshot.hub))
            plan = try await Cancellation.onThread { [plan] in
                var plan = plan
                try plan.look(settings, $0)
                return plan
            }
        }
        try plan.finish(pins: pins)
    }

    /// Fetches files of one repository.
    ///
    /// - Returns: the folder in which the repository's paths are found.
    /// - Throws: as the other.
    @discardableResult
    public func download(
        _ files: [RemoteFile], of snapshot: Snapshot, to destination: Destination,
        onEvent: @escaping @Sendable (DownloadEvent) -> Void = { _ in }
    ) async throws -> String {
        try await download(
            [DownloadJob(files, of: snapshot, to: destination)], onEvent: onEvent)
        return destination.folder(of: snapshot)
    }

    private func run(_ queue: TransferQueue, _ api: any HubAPI) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<max(1, settings.connections) {
                group.addTask {
                    try await Cancellation.onThread { try queue.work(settings, api, $0) }
                }
            }
            // The first error ends the others.
            for try await _ in group {}
        }
    }

    private func refuseOffline(_ id: String) throws {
        guard let because = settings.offlineBecause else { return }
        throw HubError(id, .offline(because: because, searched: []))
    }
}
