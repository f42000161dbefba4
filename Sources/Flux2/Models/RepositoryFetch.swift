internal import FluxModels
internal import Foundation
public import ModelHub
internal import Safetensors

/// Fetches what is needed of repositories, and no shard that is not.
public struct RepositoryFetch: Sendable {
    private let client: HubClient
    private let hub: Hub
    private let onEvent: @Sendable (DownloadEvent) -> Void

    public init(
        _ settings: HubSettings, hub: Hub? = nil,
        onEvent: @escaping @Sendable (DownloadEvent) -> Void = { _ in }
    ) {
        client = HubClient(settings)
        self.hub = hub ?? settings.hub
        self.onEvent = onEvent
    }

    /// Fetches parts of a model, each from its own repository.
    ///
    /// - Parameter folder: where they go; the places of the hub without it.
    /// - Throws: `HubError`, `FileError`, `CancellationError`.
    public func callAsFunction(
        _ model: ModelRepository, _ parts: [ModelRepository.Part], into folder: String? = nil,
        revision: String? = nil
    ) async throws {
        for repository in [model.repository, model.companion].compactMap(\.self) {
            let own = parts.filter { model.source(of: $0) == repository }
            guard !own.isEmpty else { continue }
            // The two at the end are for other programs that read the folder.
            let patterns = own.map { $0.rawValue + "/" } + ["model_index.json", "scheduler/"]
            try await self(
                RepositoryFiles(id: repository.id, pattern: ""), patterns: patterns,
                to: folder.map(Destination.folder), revision: revision)
        }
    }

    /// Fetches the files that a pattern names, without shards of layers that are not looked at.
    ///
    /// - Returns: the folder in which the repository's paths are found.
    /// - Throws: `HubError`, `FileError`, `CancellationError`.
    @discardableResult
    public func callAsFunction(
        _ files: RepositoryFiles, patterns: [String]? = nil, to destination: Destination? = nil,
        revision: String? = nil
    ) async throws -> String {
        let repository = try Repository(files.id)
        let snapshot = try await client.snapshot(
            of: repository, revision: revision, on: hub, onEvent: onEvent)
        let wanted = snapshot.files(matching: patterns ?? [files.pattern])
        guard !wanted.isEmpty else { throw snapshot.nothing(fits: patterns ?? [files.pattern]) }
        let place = destination ?? client.settings.destination(of: repository, on: hub)
        // Small files come first: indices tell which of the large ones are needed.
        let weights = wanted.filter { $0.path.hasSuffix(".safetensors") }
        let indices = snapshot.files.filter { file in
            file.path.hasSuffix(".safetensors.index.json")
                && weights.contains { Self.folder($0.path) == Self.folder(file.path) }
        }
        let small = Set(wanted).subtracting(weights).union(indices)
        let folder = try await client.download(
            small.sorted { $0.path < $1.path }, of: snapshot, to: place, onEvent: onEvent)
        let spare = try Self.spare(indices.map(\.path), in: folder)
        return try await client.download(
            weights.filter { !spare.contains($0.path) }, of: snapshot, to: place, onEvent: onEvent)
    }

    /// The paths of shards without which nothing changes.
    private static func spare(_ indices: [String], in root: String) throws -> Set<String> {
        try indices.reduce(into: []) { all, path in
            let index = try ShardIndex(path: root + "/" + path)
            all.formUnion(index.spareFiles.map { folder(path) + $0 })
        }
    }

    /// The folder of a path, with the slash at its end.
    private static func folder(_ path: String) -> String {
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
