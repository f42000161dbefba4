import ArgumentParser
import Flux2
import ModelHub

struct Download: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Fetch models or data sets from Hugging Face or ModelScope.",
        discussion: """
            A published model's name, such as klein-4b, fetches what pictures are made with; \
            owner/name fetches a whole repository, owner/name:pattern some of its files. What is \
            here already is not fetched again, and an interrupted download goes on where it was. \
            Tokens are taken from HF_TOKEN and MODELSCOPE_API_TOKEN.
            """)

    @Argument(help: "klein-4b, owner/name, or owner/name:pattern.")
    var name: String

    @Flag(help: "It is a data set, not a model.")
    var dataset = false

    @Option(help: "Fetch only files that fit, such as 'vae/*'; may be repeated.")
    var include: [String] = []

    @Option(help: "Leave out files that fit; may be repeated.")
    var exclude: [String] = []

    @Option(help: "A branch, tag or commit; the main one when absent.")
    var revision: String?

    @Option(
        help: """
            The folder to put the files in. When absent: models/owner/name or data/owner/name for \
            ModelScope, huggingface_hub's cache for Hugging Face.
            """)
    var localDir: String?

    @OptionGroup var hub: HubOptions

    @Flag(help: "Print the folder only.")
    var quiet = false

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
        let report = Reporter(quiet: quiet)
        let progress = DownloadProgress(report)
        let task = self
        let folders = try await cancellingOnInterrupt {
            defer { progress.finish() }
            return try await task.fetch(settings, report) { progress.show($0) }
        }
        folders.forEach { print($0) }
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
                    && !DownloadMark.isOpen(in: folder, for: pattern)
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
