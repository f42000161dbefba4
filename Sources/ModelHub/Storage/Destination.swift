internal import FileSupport
internal import Foundation

/// Where the files of a repository are put.
public enum Destination: Hashable, Sendable {
    /// A folder, with the repository's paths below it.
    case folder(String)
    /// The cache of huggingface_hub, whose root this is.
    case cache(String)

    /// The folder in which a repository's paths are found.
    public func folder(of snapshot: Snapshot) -> String {
        switch self {
        case .folder(let path): path
        case .cache(let root):
            Self.cacheFolder(of: snapshot.repository, root) + "/snapshots/"
                + (snapshot.commit ?? snapshot.revision)
        }
    }

    /// `models--owner--name` in a cache.
    public static func cacheFolder(of repository: Repository, _ root: String) -> String {
        "\(root)/\(repository.kind.rawValue)s--" + repository.id.replacing("/", with: "--")
    }

    /// Remembers in a cache which commit a branch was at, as huggingface_hub does.
    ///
    /// - Throws: `FileError`.
    func pin(_ snapshot: Snapshot) throws {
        guard case .cache(let root) = self, let commit = snapshot.commit,
            commit != snapshot.revision
        else { return }
        let path = Self.cacheFolder(of: snapshot.repository, root) + "/refs/" + snapshot.revision
        try Folder.make(for: path)
        try AtomicFile.write(path, bytes: Array(commit.utf8))
    }

    /// The places of one file.
    func places(of file: RemoteFile, in snapshot: Snapshot) -> CachePaths {
        let path = folder(of: snapshot) + "/" + file.path
        let name = file.checksum.map { String($0.value.prefix(16)) }
        switch self {
        case .folder:
            let parts = path.split(separator: "/", omittingEmptySubsequences: false)
            let parent = parts.dropLast().joined(separator: "/")
            let mark = name ?? "\(file.size)"
            return CachePaths(
                path: path, content: path,
                partial: "\(parent)/.\(parts.last?.prefix(80) ?? "").\(mark).part", link: nil)
        case .cache(let root):
            // Blobs are called by their sums, as the hub's entity tags are.
            let blobs = Self.cacheFolder(of: snapshot.repository, root) + "/blobs"
            guard let checksum = file.checksum else {
                return CachePaths(
                    path: path, content: path, partial: path + ".\(file.size).part", link: nil)
            }
            let up = file.path.split(separator: "/").map { _ in "../" }.joined()
            return CachePaths(
                path: path, content: blobs + "/" + checksum.value,
                partial: "\(blobs)/\(checksum.value).part",
                link: "\(up)../blobs/" + checksum.value)
        }
    }
}

/// Where a file is found, where its bytes are, and where they are while it is not complete.
struct CachePaths: Hashable, Sendable {
    var path: String
    var content: String
    var partial: String
    /// What a link at `path` says, if it is one.
    var link: String?

    /// Whether a file of this many bytes is there.
    func hold(size: Int) -> Bool {
        if let link, (try? FileManager.default.destinationOfSymbolicLink(atPath: path)) != link {
            return false
        }
        return Self.size(of: path) == size
    }

    /// Whether the bytes are there, though perhaps not under this name.
    func contentHolds(size: Int) -> Bool { Self.size(of: content) == size }

    /// Bytes of what a path leads to.
    private static func size(of path: String) -> Int? {
        let resolved = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        return try? FileManager.default.attributesOfItem(atPath: resolved)[.size] as? Int
    }
}
