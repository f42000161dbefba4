internal import Foundation

extension HubSettings {
    /// The folders in which a repository's paths may be found, in the order in which they count.
    ///
    /// `FLUX2_MODELS` replaces DiffSynth-Studio's `models/owner/name`; then come the caches of
    /// huggingface_hub and of modelscope in its present and its older layouts.
    public func folders(of repository: Repository) -> [String] {
        let roots = repository.kind == .dataset ? [datasets] : modelFolders
        return roots.map { $0 + "/" + repository.id }
            + hubSnapshots(repository)
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
    ///
    /// - Parameter name: another name that its folder may have in those of `FLUX2_MODELS`.
    public func storage(of repository: Repository, named name: String? = nil) -> [String] {
        let cached = [
            Destination.cacheFolder(of: repository, cache),
            "\(modelScopeCache)/\(repository.kind.rawValue)s/"
                + repository.id.replacing("/", with: "--"),
        ]
        let plain = name.map { name in modelFolders.map { $0 + "/" + name } } ?? []
        let folders = (plain + folders(of: repository)).filter { folder in
            !cached.contains { folder.hasPrefix($0 + "/") }
        }
        // A name may be the repository's own, and then leads to the same folder.
        var known: Set<String> = []
        return (folders + cached).filter { known.insert($0).inserted && LocalFiles.isFolder($0) }
    }

    /// The snapshots in huggingface_hub's cache; first the one that `main` points at.
    private func hubSnapshots(_ repository: Repository) -> [String] {
        let folder = Destination.cacheFolder(of: repository, cache)
        let main = try? String(contentsOfFile: folder + "/refs/main", encoding: .utf8)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        let all =
            (try? FileManager.default.contentsOfDirectory(atPath: folder + "/snapshots")) ?? []
        let others = all.filter { $0 != main && !$0.hasPrefix(".") }.sorted()
        return ([main].compactMap(\.self) + others).map { folder + "/snapshots/" + $0 }
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
