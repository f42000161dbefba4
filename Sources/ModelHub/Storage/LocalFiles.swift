internal import Foundation
internal import FileSupport

/// Files below a folder.
public enum LocalFiles {
    /// The files whose paths in the folder fit a pattern, as Python's `glob` finds them; sorted.
    ///
    /// - Parameter crossesFolders: whether `*` goes on at slashes, as with the tools of the hubs.
    public static func matching(
        _ pattern: String, in folder: String, crossesFolders: Bool = false
    ) -> [String] {
        let pattern = FilePattern(pattern, crossesFolders: crossesFolders)
        return all(in: folder).filter(pattern.matches).map { folder + "/" + $0 }
    }

    /// The paths of all files in a folder, without hidden ones; sorted.
    ///
    /// Links to folders are followed, since people put large models on other disks.
    static func all(in folder: String) -> [String] {
        var found: [String] = []
        func walk(_ below: String, depth: Int) {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder + below)) ?? []
            for name in names where !name.hasPrefix(".") {
                let path = below + "/" + name
                if !isFolder(folder + path) {
                    found.append(String(path.dropFirst()))
                } else if depth < deepest {
                    walk(path, depth: depth + 1)
                }
            }
        }
        walk("", depth: 0)
        return found.sorted()
    }

    /// Deeper folders than any repository has; ends links that lead in a circle.
    private static let deepest = 12

    /// Whether a path leads to a folder, through links as well.
    public static func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
            && isFolder.boolValue
    }

    /// The files that are missing from sets of shards named `…-00001-of-00003.safetensors`, or `.gguf`.
    ///
    /// - Parameter paths: the shards that are there, among other files.
    /// - Returns: the paths of those that are not.
    public static func missingShards(of paths: [String]) -> [String] {
        var missing: Set<String> = []
        for path in paths {
            guard let shard = Shard(path) else { continue }
            missing.formUnion((1...shard.count).map(shard.path(of:)))
        }
        return missing.subtracting(paths).sorted()
    }
}

/// A file's name as that of one of several.
private struct Shard {
    let stem: String
    let ending: String
    let digits: Int
    let count: Int

    init?(_ path: String) {
        guard let suffix = [".safetensors", ".gguf"].first(where: path.hasSuffix) else {
            return nil
        }
        let parts = path.dropLast(suffix.count).split(
            separator: "-", omittingEmptySubsequences: false)
        guard parts.count > 3, parts[parts.count - 2] == "of",
            let count = Int(parts[parts.count - 1]), (1...10_000).contains(count),
            Int(parts[parts.count - 3]) != nil
        else { return nil }
        stem = parts.dropLast(3).joined(separator: "-")
        ending = "-of-\(parts[parts.count - 1])" + suffix
        digits = parts[parts.count - 3].count
        self.count = count
    }

    func path(of index: Int) -> String {
        let number = String(index)
        let zeros = String(repeating: "0", count: max(0, digits - number.count))
        return stem + "-" + zeros + number + ending
    }
}
