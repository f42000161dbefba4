internal import Foundation
public import ModelHub

/// Where the weights of one component come from, under DiffSynth-Studio's names.
///
/// Either files on this machine, or those that a pattern names in a repository on a hub: what is
/// in one of the places for models is taken from there, the rest is fetched.
public struct ModelConfig: Hashable, Sendable {
    /// Files that make up one checkpoint, or a folder; `modelID` and the rest then do not count.
    public var path: [String] = []
    /// `owner/name` on a hub.
    public var modelID: String?
    /// Which of the repository's files; empty means all, a slash at the end a folder.
    public var originFilePattern = ""
    /// The hub; nil is that of `DIFFSYNTH_DOWNLOAD_SOURCE`, or ModelScope.
    public var downloadSource: Hub?
    /// The folder of `owner/name`; `DIFFSYNTH_MODEL_BASE_PATH` counts before it.
    public var localModelPath: String?
    /// Whether only files on this machine are taken; nil is what `DIFFSYNTH_SKIP_DOWNLOAD` says.
    public var skipDownload: Bool?
    /// Where weights are in each stage of their use, and in which type; nil keeps them as the file
    /// has them, on the device as far as there is room.
    public var storage: StageStorage?

    /// Takes one file, or one folder.
    ///
    /// - Parameter storage: where weights are in each stage; nil is as the file has them.
    public init(path: String, storage: StageStorage? = nil) {
        self.init(path: [path], storage: storage)
    }

    /// - Parameters:
    ///   - path: files that together make up one checkpoint.
    ///   - storage: where weights are in each stage; nil is as the file has them.
    public init(path: [String], storage: StageStorage? = nil) {
        self.path = path
        self.storage = storage
    }

    /// Takes files of a repository, from this machine where they are on it.
    ///
    /// - Parameters:
    ///   - modelID: `owner/name`.
    ///   - originFilePattern: which files; empty means all, a slash at the end a folder.
    ///   - downloadSource: the hub to ask; nil is that of the settings.
    ///   - localModelPath: the folder of `owner/name`, where no variable names one.
    ///   - skipDownload: true takes only what is here, false fetches whatever the settings say.
    ///   - storage: where weights are in each stage; nil is as the file has them.
    public init(
        modelID: String, originFilePattern: String = "", downloadSource: Hub? = nil,
        localModelPath: String? = nil, skipDownload: Bool? = nil, storage: StageStorage? = nil
    ) {
        self.modelID = modelID
        self.originFilePattern = originFilePattern
        self.downloadSource = downloadSource
        self.localModelPath = localModelPath
        self.skipDownload = skipDownload
        self.storage = storage
    }

    /// Finds the files, and fetches those that are not on this machine.
    ///
    /// - Returns: files, or one folder where the pattern is empty or ends with a slash.
    /// - Throws: `ModelError` for a path that leads nowhere, `HubError`, `FileError`,
    ///   `CancellationError`.
    public func resolved(
        _ settings: HubSettings,
        onEvent: @escaping @Sendable (DownloadEvent) -> Void = { _ in }
    ) async throws -> [String] {
        if !path.isEmpty { return try path.map(existing) }
        guard let modelID else {
            throw ModelError(path: "ModelConfig", reason: .notFound(searched: ["path", "modelID"]))
        }
        let repository = try Repository(modelID)
        var settings = settings
        if let localModelPath, !settings.modelsAreNamed {
            settings.models = localModelPath
            settings.modelsAreNamed = true
            settings.ownFolders = []
        }
        let folders = settings.folders(of: repository)
        if let found = folders.lazy.compactMap(present).first { return found }
        if skipDownload == true { settings.offlineBecause = "skipDownload" }
        if let because = settings.offlineBecause, skipDownload != false {
            throw HubError(
                "\(modelID):\(originFilePattern)", .offline(because: because, searched: folders))
        }
        settings.offlineBecause = nil
        let fetch = RepositoryFetch(settings, hub: downloadSource, onEvent: onEvent)
        let folder = try await fetch(RepositoryFiles(id: modelID, pattern: originFilePattern))
        guard let found = present(in: folder) else {
            throw ModelError(
                path: folder,
                reason: .missingComponent(originFilePattern, expected: "after fetching"))
        }
        return found
    }

    /// What the pattern names in a folder; nil when nothing is there, or not all that belongs.
    private func present(in folder: String) -> [String]? {
        let pattern = originFilePattern == "./" ? "" : originFilePattern
        guard LocalFiles.isFolder(folder), !IncompleteMarker.isOpen(in: folder, for: pattern) else {
            return nil
        }
        guard pattern.isEmpty || pattern.hasSuffix("/") else {
            let files = LocalFiles.matching(pattern, in: folder)
            return !files.isEmpty && isWhole(files) ? files : nil
        }
        let whole = pattern.isEmpty ? folder : folder + "/" + pattern.dropLast()
        let files = LocalFiles.matching("", in: whole)
        return !files.isEmpty && isWhole(files) ? [whole] : nil
    }

    /// Whether no needed shard is missing.
    private func isWhole(_ files: [String]) -> Bool {
        let missing = LocalFiles.missingShards(of: files)
        return missing.isEmpty || missing.allSatisfy(IgnorableShard.isIgnorable)
    }
}

func existing(_ path: String) throws -> String {
    guard FileManager.default.fileExists(atPath: path) else {
        throw ModelError(path: path, reason: .notFound(searched: [path]))
    }
    return path
}
