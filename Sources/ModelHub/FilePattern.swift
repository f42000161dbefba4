/// A pattern of file names with `*`, `?`, `[abc]` and `[!abc]`.
public struct FilePattern: Hashable, Sendable {
    private enum Piece: Hashable, Sendable {
        case character(Unicode.Scalar)
        case one
        case any
        case oneOf([ClosedRange<Unicode.Scalar>], inverted: Bool)
    }

    private let pieces: [Piece]
    private let crossesFolders: Bool

    /// - Parameters:
    ///   - text: the pattern; empty means all files, and a slash at the end all of a folder.
    ///   - crossesFolders: whether `*` and `?` match slashes, as with Python's `fnmatch` and the
    ///     tools of the hubs; without, as with its `glob`.
    public init(_ text: String, crossesFolders: Bool = true) {
        let isWhole = text.isEmpty || text.hasSuffix("/")
        self.crossesFolders = crossesFolders || isWhole
        pieces = Self.pieces(Array((isWhole ? text + "*" : text).unicodeScalars))
    }

    private static func pieces(_ text: [Unicode.Scalar]) -> [Piece] {
        var pieces: [Piece] = []
        var place = 0
        while place < text.count {
            switch text[place] {
            case "*": if pieces.last != .any { pieces.append(.any) }
            case "?": pieces.append(.one)
            case "[":
                if let (set, end) = set(text, from: place + 1) {
                    pieces.append(set)
                    place = end
                } else {
                    pieces.append(.character("["))
                }
            default: pieces.append(.character(text[place]))
            }
            place += 1
        }
        return pieces
    }

    /// A set and the place of its closing bracket; nil where it is not closed.
    private static func set(_ text: [Unicode.Scalar], from start: Int) -> (Piece, Int)? {
        let inverted = start < text.count && text[start] == "!"
        var place = inverted ? start + 1 : start
        var ranges: [ClosedRange<Unicode.Scalar>] = []
        let first = place
        while place < text.count, text[place] != "]" || place == first {
            let low = text[place]
            if place + 2 < text.count, text[place + 1] == "-", text[place + 2] != "]" {
                let high = text[place + 2]
                if low <= high { ranges.append(low...high) }
                place += 3
            } else {
                ranges.append(low...low)
                place += 1
            }
        }
        return place < text.count ? (.oneOf(ranges, inverted: inverted), place) : nil
    }

    /// Whether the whole path fits, from its beginning to its end.
    public func matches(_ path: String) -> Bool {
        matches(Array(path.unicodeScalars))
    }

    /// Goes back to the last `*` alone, which is enough and never slow.
    private func matches(_ path: [Unicode.Scalar]) -> Bool {
        var (piece, place) = (0, 0)
        var retry: (piece: Int, place: Int)?
        while place < path.count {
            if piece < pieces.count, pieces[piece] == .any {
                retry = (piece + 1, place)
                piece += 1
            } else if piece < pieces.count, matches(pieces[piece], path[place]) {
                piece += 1
                place += 1
            } else if let last = retry, crossesFolders || path[last.place] != "/" {
                retry = (last.piece, last.place + 1)
                (piece, place) = (last.piece, last.place + 1)
            } else {
                return false
            }
        }
        return pieces[piece...].allSatisfy { $0 == .any }
    }

    private func matches(_ piece: Piece, _ scalar: Unicode.Scalar) -> Bool {
        switch piece {
        case .character(let own): own == scalar
        case .one, .any: crossesFolders || scalar != "/"
        case .oneOf(let ranges, let inverted):
            ranges.contains { $0.contains(scalar) } != inverted
        }
    }
}
