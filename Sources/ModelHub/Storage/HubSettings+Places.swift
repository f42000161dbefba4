internal import Foundation

extension HubSettings {
    /// The folders in which a repository's paths may be found, in the order in which they count.
    ///
    /// `FLUX2_MODELS` replaces DiffSynth-Studio's `models/owner/name`; then come the caches of
    /// huggingface_hub and of modelscope in its present and its older layouts.
    public func folders(of repository: Repository) -> [String] {
        let roots = repository.kind == .dataset ? [datasets] : modelFolders
        return roots.map { $0 + "/" + repository.id }
            + [hubSnapshot(repository)].compactMap(\.self)
            + modelScopeFolders(of: repository)
    }

    /// The folders that hold `owner/name`, or models by names of the user's own.
    public var modelFolders: [String] { ownFolders.isEmpty ? [models] : ownFolders }

    /// Where files of a repository go that nobody said another place for.
    ///
    /// Those of ModelScope go where DiffSynth-Studio has them; those of Hugging Face into the cache
    /// of huggingface_hub, unless a folder for models is named.
    public func destination(of repository: Repository, on hub: Hub) -> Destination {
        if let own = ownFolders.first, repository.kind == .model {
            return .folder(own + "/" + repository.id)
        }
        if hub == .huggingFace, repository.kind == .dataset || !modelsAreNamed {
            return .cache(cache)
        }
        return .folder((repository.kind == .model ? models : datasets) + "/" + repository.id)
    }

    /// All folders on this machine that a repository's files take up.
    public func storage(of repository: Repository) -> [String] {
        let cached = Destination.cacheFolder(of: repository, cache)
        let folders = folders(of: repository).filter { !$0.hasPrefix(cached + "/") }
        return (folders + [cached]).filter(LocalFiles.isFolder)
    }

    /// The snapshot in huggingface_hub's cache that `main` points at, else the only one.
    private func hubSnapshot(_ repository: Repository) -> String? {
        let folder = Destination.cacheFolder(of: repository, cache)
        let snapshots = folder + "/snapshots"
        if let commit = try? String(contentsOfFile: folder + "/refs/main", encoding: .utf8) {
            return snapshots + "/" + commit.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        let all = (try? FileManager.default.contentsOfDirectory(atPath: snapshots)) ?? []
        return all.count == 1 ? snapshots + "/" + all[0] : nil
    }

    /// - Source: `_download.py` of modelscope_hub: one layout of its own, and two of older versions
    ///   that wrote dots as `___`.
    private func modelScopeFolders(of repository: Repository) -> [String] {
        let kind = repository.kind.rawValue + "s"
        let flat = repository.id.replacing("/", with: "--")
        let parts = repository.id.split(separator: "/")
        let dotless = parts[0] + "/" + parts[1].replacing(".", with: "___")
        return [
            "\(modelScopeCache)/\(kind)/\(flat)/snapshots/\(Hub.modelScope.mainRevision)",
            "\(modelScopeCache)/\(kind)/\(dotless)", "\(modelScopeCache)/hub/\(kind)/\(dotless)",
            "\(modelScopeCache)/hub/\(kind)/\(repository.id)",
        ]
    }
}
