internal import Foundation

/// A path without links, dots and relations to the current folder, to be compared with others.
func realPath(_ path: String) -> String {
    URL(fileURLWithPath: path).standardizedFileURL.resolvingSymlinksInPath().path
}
