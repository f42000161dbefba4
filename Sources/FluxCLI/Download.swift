import ArgumentParser
import Flux2
import ModelHub

struct Download: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Download models or data sets from Hugging Face or ModelScope.",
        usage: """
            flux2 download <name> [<options>]
            flux2 download -m <name> [<options>]
            """,
        discussion: """
            The name of a published model, such as klein-4b, means all that images are made with. \
            owner/name is a whole repository, owner/name:pattern some of its files. Files that are \
            here are not downloaded again, and an interrupted download resumes. Tokens are taken \
            from HF_TOKEN and MODELSCOPE_API_TOKEN.

            Examples:
              flux2 download klein-4b
              flux2 download 'owner/name:vae/*' -o somewhere
            """)

    @OptionGroup var wanted: RepositoryName

    @Option(help: "Pattern of files to download, such as 'vae/*'; may be repeated.")
    var include: [String] = []

    @Option(help: "Pattern of files to leave out; may be repeated.")
    var exclude: [String] = []

    @Option(help: "Branch, tag or commit. Default: the main branch.")
    var revision: String?

    @Option(
        name: [.long, .customLong("output"), .customShort("o")],
        help: """
            Folder to write. Default: models/owner/name or data/owner/name for ModelScope, the cache \
            of huggingface_hub for Hugging Face.
            """)
    var localDir: String?

    @OptionGroup var hub: HubOptions
    @OptionGroup var result: ResultOptions

    private var dataset: Bool { wanted.dataset }
    /// Valid since the parser has looked at it.
    private var name: String { (try? wanted.value()) ?? "" }

    /// Where files are now.
    private struct Summary: Encodable {
        var name: String
        var folders: [String]
    }

    func validate() throws {
        guard variant == nil || (include.isEmpty && exclude.isEmpty) else {
            throw ValidationError(
                "\(name) is fetched whole; to choose files, name its repository "
                    + "\(variant?.hubID ?? "")")
        }
        guard variant != nil || RepositoryFiles(name) != nil else {
            throw ValidationError(
                "'\(name)' is neither a published model (see flux2 models) nor owner/name"
                    + Nearest.model(name))
        }
        guard include.isEmpty || RepositoryFiles(name)?.pattern == "" else {
            throw ValidationError("give a pattern after the colon or --include, not both")
        }
    }

    private var variant: Variant? { dataset ? nil : Variant(rawValue: name.lowercased()) }

    func run() async throws {
        let settings = try hub.settings()
        let report = result.report
        let progress = DownloadProgress(report)
        let task = self
        let folders = try await cancellingOnInterrupt {
            defer { progress.finish() }
            return try await task.fetch(settings, report) { progress.show($0) }
        }
        try result.show(
            Summary(name: name, folders: folders), report, folders.joined(separator: "\n"))
    }

    private func fetch(
        _ settings: HubSettings, _ report: Reporter,
        onEvent: @escaping @Sendable (DownloadEvent) -> Void
    ) async throws -> [String] {
        if let variant, let model = ModelRepository(named: variant.rawValue) {
            return try await fetch(model, settings, report, onEvent)
        }
        guard let files = RepositoryFiles(name) else { return [] }
        let repository = try Repository(files.id, kind: dataset ? .dataset : .model)
        let patterns = include.isEmpty ? [files.pattern] : include
        if let because = settings.offlineBecause {
            return [try present(repository, patterns, settings, because)]
        }
        report.notice("\(name): asking \(settings.hub.title)")
        let client = HubClient(settings)
        let snapshot = try await client.snapshot(
            of: repository, revision: revision, on: settings.hub, onEvent: onEvent)
        let wanted = snapshot.files(matching: patterns, excluding: exclude)
        guard !wanted.isEmpty else { throw snapshot.nothing(fits: patterns) }
        let place =
            localDir.map(Destination.folder)
            ?? settings.destination(of: repository, on: settings.hub)
        return [
            try await client.download(wanted, of: snapshot, to: place, onEvent: onEvent)
        ]
    }

    /// The folder on this machine that has files of every pattern, and none still to come.
    private func present(
        _ repository: Repository, _ patterns: [String], _ settings: HubSettings, _ because: String
    ) throws -> String {
        let folders = localDir.map { [$0] } ?? settings.folders(of: repository)
        let found = folders.first { folder in
            patterns.allSatisfy { pattern in
                let files = LocalFiles.matching(pattern, in: folder, crossesFolders: true)
                return !files.isEmpty && LocalFiles.missingShards(of: files).isEmpty
                    && !IncompleteMarker.isOpen(in: folder, for: pattern)
            }
        }
        guard let found else {
            throw HubError(name, .offline(because: because, searched: folders))
        }
        return found
    }

    /// Fetches a model's parts, those from its companion included.
    private func fetch(
        _ model: ModelRepository, _ settings: HubSettings, _ report: Reporter,
        _ onEvent: @escaping @Sendable (DownloadEvent) -> Void
    ) async throws -> [String] {
        let wanted = wantedParts(of: model, settings)
        if !wanted.isEmpty {
            if let because = settings.offlineBecause {
                throw HubError(
                    "\(name): \(wanted.map(\.rawValue).joined(separator: ", "))",
                    .offline(
                        because: because,
                        searched: localDir.map { [$0] }
                            ?? ModelPlaces.candidates(model.name, settings)))
            }
            report.notice("\(name): asking \(settings.hub.title)")
            try await RepositoryFetch(settings, onEvent: onEvent)(
                model, wanted, into: localDir, revision: revision)
        }
        if let localDir { return [localDir] }
        return Set(model.present(settings).values).sorted()
    }

    /// The parts that are missing; with the hub at hand, those too that lie where they would be
    /// fetched to, since files may have changed or got lost.
    private func wantedParts(
        of model: ModelRepository, _ settings: HubSettings
    ) -> [ModelRepository.Part] {
        let present = model.present(settings)
        let isOffline = settings.offlineBecause != nil
        return ModelRepository.Part.allCases.filter { part in
            if localDir != nil || revision != nil { return !isOffline || present[part] == nil }
            guard let folder = present[part] else { return true }
            guard !isOffline else { return false }
            switch settings.destination(of: model.source(of: part), on: settings.hub) {
            case .folder(let place): return folder == place
            case .cache(let root): return folder.hasPrefix(root + "/")
            }
        }
    }
}
