internal import Domains

/// A model or a data set on a hub.
public struct Repository: Hashable, Sendable {
    /// What a repository is for; hubs keep the kinds under addresses of their own.
    public enum Kind: String, Hashable, Sendable {
        /// Weights with what belongs to them.
        case model
        /// Data that models are trained with.
        case dataset
    }

    /// What it is for; the hub's addresses depend on it.
    public let kind: Kind
    /// `owner/name`.
    public let id: String

    /// - Throws: `HubError` when `id` is not of the form `owner/name`.
    public init(_ id: String, kind: Kind = .model) throws {
        guard Self.isID(id) else {
            throw HubError(id, .badName(expected: "a repository as in owner/name"))
        }
        self.kind = kind
        self.id = id
    }

    /// Whether a text has the form `owner/name`; it may be a path as well.
    public static func isID(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count == 2 && parts.allSatisfy(isName)
    }

    private static func isName(_ part: Substring) -> Bool {
        part.count <= 96 && !part.hasPrefix(".")
            && part.contains { $0.isLetter || $0.isNumber }
            && part.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default:
                    byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
                        || byte == UInt8(ascii: ".")
                }
            }
    }
}

/// Some files of a repository, as a command line names them: `owner/name:pattern`.
public struct RepositoryFiles: Hashable, Sendable {
    /// `owner/name`.
    public var id: String
    /// Which files; empty means all, a slash at the end a whole folder.
    public var pattern: String

    /// Names files; neither text is checked before they are asked for.
    public init(id: String, pattern: String) {
        self.id = id
        self.pattern = pattern
    }

    /// Reads `owner/name:pattern`, or `owner/name` for all files; nil for anything else.
    public init?(_ text: String) {
        let parts = text.split(
            separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let id = parts.first, Repository.isID(String(id)) else { return nil }
        self.id = String(id)
        pattern = parts.count > 1 ? String(parts[1]) : ""
    }
}

/// A file of a repository, as its hub lists it.
public struct RemoteFile: Hashable, Sendable {
    /// The path in the repository, with slashes.
    public var path: String
    /// Bytes.
    public var size: Int
    /// What its bytes add up to; nil where the hub does not tell, and then the size decides.
    public var checksum: Checksum?

    /// A file by what a hub lists of it.
    public init(path: String, size: Int, checksum: Checksum? = nil) {
        self.path = path
        self.size = size
        self.checksum = checksum
    }

    /// Whether the path stays inside its folder on any system.
    var isSafe: Bool {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        return !path.contains("\\") && !path.contains("\0")
            && parts.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
    }
}

/// What a repository holds at one commit.
public struct Snapshot: Hashable, Sendable {
    /// The hub that was asked.
    public var hub: Hub
    /// The repository that was asked for.
    public var repository: Repository
    /// The branch, tag or commit that was asked for.
    public var revision: String
    /// The commit, where the hub tells it.
    public var commit: String?
    /// All of its files, folders left out.
    public var files: [RemoteFile]

    /// The files that one of the patterns names.
    ///
    /// - Parameter patterns: as Python's `fnmatch` reads them; none means all files.
    public func files(matching patterns: [String], excluding excluded: [String] = [])
        -> [RemoteFile]
    {
        let (wanted, unwanted) = (
            patterns.map { FilePattern($0) }, excluded.map { FilePattern($0) }
        )
        return files.filter { file in
            (wanted.isEmpty || wanted.contains { $0.matches(file.path) })
                && !unwanted.contains { $0.matches(file.path) }
        }
    }
}

extension Snapshot {
    /// Refuses sizes that no disk holds, so that they can be added up.
    ///
    /// - Throws: `HubError` naming the file.
    func checkSizes() throws {
        var total = 0
        for file in files {
            let isSound = NumericField.size.domain.contains(file.size)
            if isSound { total += file.size }
            guard isSound, total <= 1 << 60 else {
                throw HubError(
                    repository.id,
                    .badAnswer(
                        "the hub lists '\(file.path)' of \(file.size) bytes, which no disk holds"))
            }
        }
    }
}
