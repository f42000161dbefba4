internal import FluxModels
internal import Foundation
public import ModelHub
internal import Checkpoints

/// Fetches what is needed of repositories, and no shard that is not.
public struct RepositoryFetch: Sendable {
    private let client: HubClient
    private let hub: Hub
    private let onEvent: @Sendable (DownloadEvent) -> Void

    /// Fetches by these settings.
    ///
    /// - Parameters:
    ///   - hub: the hub to ask; nil is that of the settings.
    ///   - onEvent: told about downloads, from several threads.
    public init(
        _ settings: HubSettings, hub: Hub? = nil,
        onEvent: @escaping @Sendable (DownloadEvent) -> Void = { _ in }
    ) {
        client = HubClient(settings)
        self.hub = hub ?? settings.hub
        self.onEvent = onEvent
    }

    /// Some files of a repository, and where they go if not to the hub's own place.
    private struct FetchRequest {
        var repository: Repository
        var patterns: [String]
        var revision: String?
        var destination: Destination?
    }

    /// Fetches those of some parts of a model that are not on this machine.
    ///
    /// - Parameter onMissing: told which they are, before the hub is asked.
    /// - Throws: `HubError`, which offline names the places looked at; `FileError`,
    ///   `CancellationError`.
    public func missing(
        of model: ModelRepository,
        among parts: [ModelRepository.Part] = ModelRepository.Part.allCases,
        onMissing: ([ModelRepository.Part]) -> Void = { _ in }
    ) async throws {
        let settings = client.settings
        let present = model.present(settings)
        let missing = parts.filter { present[$0] == nil }
        guard !missing.isEmpty else { return }
        if let because = settings.offlineBecause {
            throw HubError(
                "\(model.name): \(missing.map(\.rawValue).joined(separator: ", "))",
                .offline(
                    because: because, searched: ModelPlaces.candidates(model.name, settings)))
        }
        onMissing(missing)
        try await self(model, missing)
    }

    /// Fetches parts of a model, each from its own repository.
    ///
    /// A cache gets all parts that come from a repository: it finds a repository's files by one
    /// commit, and those that it has cost nothing.
    ///
    /// - Parameters:
    ///   - folder: where they go; the places of the hub without it.
    ///   - revision: of the model's own repository; its companion's is the main one.
    /// - Throws: `HubError`, `FileError`, `CancellationError`.
    public func callAsFunction(
        _ model: ModelRepository, _ parts: [ModelRepository.Part], into folder: String? = nil,
        revision: String? = nil
    ) async throws {
        var orders: [FetchRequest] = []
        for repository in [model.repository, model.companion].compactMap(\.self) {
            let all = ModelRepository.Part.allCases.filter { model.source(of: $0) == repository }
            let wanted = all.filter(parts.contains)
            guard !wanted.isEmpty else { continue }
            let destination = folder.map(Destination.folder)
            let place = destination ?? client.settings.destination(of: repository, on: hub)
            let fetched = if case .cache = place { all } else { wanted }
            let isOwn = repository == model.repository
            // The two besides are for this model's settings and for other programs.
            let extras = isOwn ? ["model_index.json", "scheduler/"] : []
            orders.append(
                FetchRequest(
                    repository: repository, patterns: fetched.map { $0.rawValue + "/" } + extras,
                    revision: isOwn ? revision : nil, destination: destination))
        }
        try await fetch(orders)
    }

    /// Fetches the files that a pattern names, without shards of layers that are not looked at.
    ///
    /// - Returns: the folder in which the repository's paths are found.
    /// - Throws: `HubError`, `FileError`, `CancellationError`.
    @discardableResult
    public func callAsFunction(
        _ files: RepositoryFiles, to destination: Destination? = nil
    ) async throws -> String {
        let order = FetchRequest(
            repository: try Repository(files.id), patterns: [files.pattern],
            destination: destination)
        return try await fetch([order])[0]
    }

    /// - Returns: the folder of each order.
    @discardableResult
    private func fetch(_ orders: [FetchRequest]) async throws -> [String] {
        var jobs: [DownloadJob] = []
        for order in orders { jobs.append(try await job(order)) }
        // Indices come first, since they tell which shards are needed; nobody waits for them.
        let indices = jobs.map(\.withIndicesAlone)
        try await client.download(indices, pins: false)
        for index in jobs.indices {
            let spare = try Self.spare(indices[index])
            jobs[index].files.removeAll { spare.contains($0.path) }
        }
        try await client.download(jobs, onEvent: onEvent)
        return jobs.map { $0.destination.folder(of: $0.snapshot) }
    }

    private func job(_ order: FetchRequest) async throws -> DownloadJob {
        let snapshot = try await client.snapshot(
            of: order.repository, revision: order.revision, on: hub, onEvent: onEvent)
        let wanted = snapshot.files(matching: order.patterns)
        guard !wanted.isEmpty else { throw snapshot.nothing(fits: order.patterns) }
        let folders = Set(wanted.filter(\.isWeights).map(\.folder))
        let indices = snapshot.files.filter { $0.isIndex && folders.contains($0.folder) }
        return DownloadJob(
            Set(wanted).union(indices).sorted { $0.path < $1.path }, of: snapshot,
            to: order.destination ?? client.settings.destination(of: order.repository, on: hub))
    }

    /// The paths of shards without which nothing changes.
    private static func spare(_ job: DownloadJob) throws -> Set<String> {
        let root = job.destination.folder(of: job.snapshot)
        return try job.files.reduce(into: []) { all, file in
            let index = try ShardIndex(path: root + "/" + file.path)
            all.formUnion(index.ignorableFiles.map { file.folder + $0 })
        }
    }
}

extension DownloadJob {
    fileprivate var withIndicesAlone: DownloadJob {
        DownloadJob(files.filter(\.isIndex), of: snapshot, to: destination)
    }
}

extension RemoteFile {
    fileprivate var isWeights: Bool { path.hasSuffix(".safetensors") }
    fileprivate var isIndex: Bool { path.hasSuffix(".safetensors.index.json") }

    /// The folder, with the slash at its end.
    fileprivate var folder: String {
        String(path[..<(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)])
    }
}

extension Snapshot {
    /// The error of patterns that no file fits.
    public func nothing(fits patterns: [String]) -> HubError {
        HubError(
            repository.id,
            .noFile(
                pattern: patterns.joined(separator: "', '"),
                examples: files.prefix(5).map(\.path)))
    }
}
