internal import FileSupport

/// ModelScope.
///
/// - Source: the addresses that `modelscope_hub` 0.5 asks (`_legacy_api.py`).
struct ModelScopeAPI: HubAPI {
    /// Models are listed in one answer, which ends here without saying so.
    private static let longestListing = 3000
    private static let pageSize = 200

    let settings: HubSettings
    let hub = Hub.modelScope
    let tokenVariable = "MODELSCOPE_API_TOKEN"

    func page(of repository: Repository) -> String {
        "\(endpoint)/\(repository.kind.rawValue)s/\(repository.id)"
    }

    func headers(token: String) -> [String] {
        ["Authorization: Bearer " + token, "Cookie: m_session_id=" + token]
    }

    func address(of path: String, in snapshot: Snapshot) -> String {
        root(snapshot.repository) + "/repo?Revision=\(Address.escaped(snapshot.revision))"
            + "&FilePath=" + Address.escaped(path)
    }

    func snapshot(
        of repository: Repository, revision: String, by request: HubRequest
    ) throws -> Snapshot {
        let files =
            repository.kind == .model
            ? try models(repository, revision, request)
            : try datasets(repository, revision, request)
        return Snapshot(
            hub: hub, repository: repository, revision: revision, commit: nil, files: files)
    }

    private func root(_ repository: Repository) -> String {
        "\(endpoint)/api/v1/\(repository.kind.rawValue)s/\(repository.id)"
    }

    private func models(
        _ repository: Repository, _ revision: String, _ request: HubRequest
    ) throws -> [RemoteFile] {
        let (answer, _) = try request.json(
            root(repository)
                + "/repo/files?Revision=\(Address.escaped(revision))&Recursive=True",
            about: repository.id)
        let entries = try Self.entries(answer, of: repository)
        guard entries.count < Self.longestListing else {
            throw HubError(
                repository.id,
                .badAnswer("ModelScope lists no more than \(Self.longestListing) files of a model"))
        }
        return try Self.files(entries, of: repository)
    }

    private func datasets(
        _ repository: Repository, _ revision: String, _ request: HubRequest
    ) throws -> [RemoteFile] {
        var files: [RemoteFile] = []
        var seen: Set<String> = []
        for page in 1... {
            let (answer, _) = try request.json(
                root(repository)
                    + "/repo/tree?Revision=\(Address.escaped(revision))&Root=%2F&Recursive=True"
                    + "&PageNumber=\(page)&PageSize=\(Self.pageSize)",
                about: repository.id)
            let entries = try Self.entries(answer, of: repository)
            let listed = try Self.files(entries, of: repository)
            let before = seen.count
            seen.formUnion(entries.compactMap { $0["Path"].string })
            guard entries.isEmpty || seen.count > before else {
                throw HubError(
                    repository.id, .badAnswer("the pages of ModelScope's listing repeat"))
            }
            files += listed
            if entries.count < Self.pageSize { break }
        }
        return files
    }

    /// What an answer lists.
    static func entries(
        _ answer: JSONValue, of repository: Repository
    ) throws -> [JSONValue] {
        if let code = answer["Code"].integer, code != 200 {
            let head = ResponseHead(status: (400..<600).contains(code) ? code : 404)
            throw HTTPError.status(head, body: [])
        }
        guard let entries = answer["Data"]["Files"].array else {
            throw HubError(repository.id, .badAnswer("ModelScope lists no files"))
        }
        return entries
    }

    /// The files among them.
    static func files(
        _ entries: [JSONValue], of repository: Repository
    ) throws -> [RemoteFile] {
        try entries.filter { $0["Type"].string != "tree" }.map { entry in
            guard let path = entry["Path"].string, let size = entry["Size"].integer, size >= 0
            else {
                throw HubError(
                    repository.id, .badAnswer("ModelScope lists a file without name or size"))
            }
            let checksum = try Checksum(.sha256, listed: entry["Sha256"].string, of: path)
            return RemoteFile(path: path, size: size, checksum: checksum)
        }
    }
}
