internal import FileSupport

/// Hugging Face, and what speaks as it does.
///
/// - Source: the addresses that `huggingface_hub` 1.x asks (`HfApi.repo_info`,
///   `HfApi.list_repo_tree`, `hf_hub_url`).
struct HuggingFaceAPI: HubAPI {
    /// More pages than any listing has.
    private static let mostPages = 10_000

    let settings: HubSettings
    let hub = Hub.huggingFace
    let tokenVariable = "HF_TOKEN"

    func page(of repository: Repository) -> String {
        endpoint + "/" + prefix(repository) + repository.id
    }

    func headers(token: String) -> [String] { ["Authorization: Bearer " + token] }

    func address(of path: String, in snapshot: Snapshot) -> String {
        let revision = Address.escaped(snapshot.commit ?? snapshot.revision)
        return page(of: snapshot.repository) + "/resolve/\(revision)/"
            + Address.escaped(path, keepingSlashes: true)
    }

    func snapshot(
        of repository: Repository, revision: String, by request: HubRequest
    ) throws -> Snapshot {
        let root = "\(endpoint)/api/\(repository.kind.rawValue)s/\(repository.id)"
        let (info, _) = try request.json(
            "\(root)/revision/\(Address.escaped(revision))", about: repository.id)
        guard let commit = info["sha"].string, commit.count == 40,
            commit.allSatisfy(\.isHexDigit)
        else {
            throw HubError(repository.id, .badAnswer("Hugging Face tells no commit"))
        }
        var files: [RemoteFile] = []
        var seen: Set<String> = []
        var next: String? = "\(root)/tree/\(commit)?recursive=true"
        while let page = next {
            guard seen.insert(page).inserted, seen.count <= Self.mostPages else {
                throw HubError(
                    repository.id, .badAnswer("the pages of Hugging Face's listing do not end"))
            }
            let (entries, head) = try request.json(page, about: repository.id)
            files += try Self.files(entries, of: repository)
            next = try head.fields["link"].flatMap { try Self.nextPage($0, after: page) }
        }
        return Snapshot(
            hub: hub, repository: repository, revision: revision, commit: commit, files: files)
    }

    private func prefix(_ repository: Repository) -> String {
        repository.kind == .dataset ? "datasets/" : ""
    }

    /// The files that a page of a listing names.
    static func files(
        _ entries: JSONValue, of repository: Repository
    ) throws -> [RemoteFile] {
        guard let entries = entries.array else {
            throw HubError(repository.id, .badAnswer("Hugging Face lists no files"))
        }
        return try entries.filter { $0["type"].string == "file" }.map { entry in
            guard let path = entry["path"].string,
                let size = entry["lfs"]["size"].integer ?? entry["size"].integer, size >= 0
            else {
                throw HubError(
                    repository.id, .badAnswer("Hugging Face lists a file without name or size"))
            }
            // Git's name of a large file is that of the pointer to it.
            let isLarge = entry["lfs"].object != nil
            let large = entry["lfs"]["oid"].string ?? entry["lfs"]["sha256"].string
            let checksum =
                isLarge
                ? try Checksum(.sha256, listed: large, of: path)
                : try Checksum(.gitBlob, listed: entry["oid"].string, of: path)
            return RemoteFile(path: path, size: size, checksum: checksum)
        }
    }

    /// The address of the next page, which must be on the same server.
    private static func nextPage(_ link: String, after page: String) throws -> String? {
        for part in link.split(separator: ",") where part.contains("rel=\"next\"") {
            guard let start = part.firstIndex(of: "<"), let end = part.firstIndex(of: ">"),
                start < end,
                let next = Address.resolve(String(part[part.index(after: start)..<end]), at: page)
            else { return nil }
            guard next != page, Address.origin(next) == Address.origin(page) else {
                throw HubError("Hugging Face", .badRedirect("a next page elsewhere"))
            }
            return next
        }
        return nil
    }
}
