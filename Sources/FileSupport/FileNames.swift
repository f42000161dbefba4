import Foundation

/// Finds files whose names are spelled in another normal form than they are on the disk: macOS takes
/// accents apart, other systems keep what was typed.
public struct FileNames {
    /// Names by folder, under any spelling.
    private var listings: [String: [String: String]] = [:]

    /// Remembers the folders that it has looked into.
    public init() {}

    /// The path as the disk spells it; nil where nothing goes by that name.
    public mutating func found(_ path: String) -> String? {
        if access(path, F_OK) == 0 { return path }
        // Letters without accents have one spelling.
        guard !path.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
        guard let slash = path.lastIndex(of: "/") else {
            return listing(".")[path]
        }
        let name = String(path[path.index(after: slash)...])
        let folder = slash == path.startIndex ? "/" : String(path[..<slash])
        guard !name.isEmpty, folder != path, let parent = found(folder) else { return nil }
        return listing(parent)[name].map { (parent == "/" ? "" : parent) + "/" + $0 }
    }

    /// Equal strings may differ in their normal form; that is what finds a name here.
    private mutating func listing(_ folder: String) -> [String: String] {
        if let known = listings[folder] { return known }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let listing = Dictionary(names.sorted().map { ($0, $0) }) { first, _ in first }
        listings[folder] = listing
        return listing
    }
}
