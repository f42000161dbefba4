/// Reads regular expressions as Python writes them.
struct NamePatternParser {
    /// Longer expressions are no names of layers.
    private static let longest = 10_000
    private static let deepest = 100
    private static let mostRepeats = 1000

    private typealias Node = NamePattern.Node
    private let text: [Unicode.Scalar]
    private var position = 0
    private var depth = 0
    private var count = 0

    init(_ text: String) { self.text = Array(text.unicodeScalars) }

    /// The whole text.
    mutating func expression() throws -> NamePattern.Node {
        guard text.count <= Self.longest else {
            throw NamePatternError.unsupported("more than \(Self.longest) characters")
        }
        let node = try choice()
        guard position == text.count else { throw NamePatternError.malformed("a ')' too many") }
        return node
    }

    private mutating func node(_ kind: Node.Kind) -> Node {
        defer { count += 1 }
        return Node(kind: kind, number: count)
    }

    private var next: Unicode.Scalar? { position < text.count ? text[position] : nil }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard next == scalar else { return false }
        position += 1
        return true
    }

    private mutating func taken() throws -> Unicode.Scalar {
        guard let scalar = next else { throw NamePatternError.malformed("it breaks off") }
        position += 1
        return scalar
    }

    // MARK: Parts

    private mutating func choice() throws -> Node {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.deepest else {
            throw NamePatternError.unsupported("groups in more than \(Self.deepest) levels")
        }
        var branches = [try sequence()]
        while take("|") { branches.append(try sequence()) }
        return branches.count == 1 ? branches[0] : node(.choice(branches))
    }

    private mutating func sequence() throws -> Node {
        var parts: [Node] = []
        while let scalar = next, scalar != "|", scalar != ")" {
            parts.append(try repeated(atom()))
        }
        return parts.count == 1 ? parts[0] : node(.sequence(parts))
    }

    private mutating func repeated(_ inner: Node) throws -> Node {
        var inner = inner
        while let (from, to) = try bounds() {
            // Lazy ones match the same names.
            _ = take("?")
            if next == "+" { throw NamePatternError.unsupported("a possessive repeat") }
            inner = node(.repeated(inner, from: from, to: to))
        }
        return inner
    }

    private mutating func bounds() throws -> (from: Int, to: Int?)? {
        if take("*") { return (0, nil) }
        if take("+") { return (1, nil) }
        if take("?") { return (0, 1) }
        guard next == "{" else { return nil }
        let rest = text[(position + 1)...]
        guard let close = rest.firstIndex(of: "}") else { return nil }
        let words = rest[..<close].split(separator: ",", omittingEmptySubsequences: false)
            .map { $0.reduce(into: "") { $0.unicodeScalars.append($1) } }
        // As in Python, other braces are themselves.
        guard words.count <= 2, words.contains(where: { !$0.isEmpty }),
            words.joined(separator: "").unicodeScalars.allSatisfy({ ("0"..."9").contains($0) })
        else { return nil }
        position = close + 1
        func number(_ word: String) -> Int? { word.isEmpty ? nil : Int(word) ?? .max }
        let from = number(words[0]) ?? 0
        let to = words.count == 1 ? from : number(words[1])
        guard (0...Self.mostRepeats).contains(from), from <= to ?? from,
            to ?? 0 <= Self.mostRepeats
        else {
            throw NamePatternError.unsupported("repeats of more than \(Self.mostRepeats)")
        }
        return (from, to)
    }

    private mutating func atom() throws -> Node {
        switch try taken() {
        case "(": return try group()
        case "[": return try scalars(in: set())
        case ".": return scalars { $0 != "\n" }
        case "^": return node(.start)
        case "$": return node(.end)
        case "\\": return try escaped()
        case "*", "+", "?": throw NamePatternError.malformed("nothing is repeated")
        case let scalar: return scalars { $0 == scalar }
        }
    }

    private mutating func scalars(
        in fits: @escaping @Sendable (Unicode.Scalar) -> Bool
    ) -> Node { node(.scalars(fits)) }

    private mutating func group() throws -> Node {
        var ahead: Bool?
        if take("?") {
            switch try taken() {
            case ":": break
            case "=": ahead = true
            case "!": ahead = false
            case "P" where next == "<":
                while try taken() != ">" {}
            default: throw NamePatternError.unsupported("a group that begins with '(?'")
            }
        }
        let inner = try choice()
        guard take(")") else { throw NamePatternError.malformed("a ')' is missing") }
        return ahead.map { node(.ahead(inner, holds: $0)) } ?? inner
    }

    // MARK: Characters

    private mutating func escaped() throws -> Node {
        let scalar = try taken()
        switch scalar {
        case "b": return node(.wordEdge(isEdge: true))
        case "B": return node(.wordEdge(isEdge: false))
        case "A": return node(.start)
        case "Z", "z": return node(.end)
        default: return try scalars(in: Self.escape(scalar))
        }
    }

    private static func escape(
        _ scalar: Unicode.Scalar
    ) throws -> @Sendable (Unicode.Scalar) -> Bool {
        switch scalar {
        case "d": return { isDigit($0) }
        case "D": return { !isDigit($0) }
        case "w": return { isWord($0) }
        case "W": return { !isWord($0) }
        case "s": return { $0.properties.isWhitespace }
        case "S": return { !$0.properties.isWhitespace }
        case "t": return { $0 == "\t" }
        case "n": return { $0 == "\n" }
        case _ where isWord(scalar) && scalar != "_":
            throw NamePatternError.unsupported("'\\\(scalar)'")
        default: return { $0 == scalar }
        }
    }

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.generalCategory == .decimalNumber
    }

    /// Letters, digits and the underscore.
    static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "_" || scalar.properties.isAlphabetic || scalar.properties.numericType != nil
    }

    /// What stands between square brackets.
    private mutating func set() throws -> @Sendable (Unicode.Scalar) -> Bool {
        let isInverted = take("^")
        var members: [@Sendable (Unicode.Scalar) -> Bool] = []
        repeat {
            let first = try taken()
            if first == "\\" {
                members.append(try Self.escape(taken()))
            } else if next == "-", position + 1 < text.count, text[position + 1] != "]" {
                position += 1
                let last = try taken()
                guard first <= last, last != "\\" else {
                    throw NamePatternError.malformed("'\(first)-\(last)' is no range")
                }
                members.append { (first...last).contains($0) }
            } else {
                members.append { $0 == first }
            }
        } while next != "]"
        position += 1
        return { [members] scalar in members.contains { $0(scalar) } != isInverted }
    }
}
