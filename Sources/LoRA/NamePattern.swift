/// A regular expression for names, which takes bounded time whatever it and the name are.
///
/// Files and recipes bring expressions; one that goes back and forth could take for ever. Here each
/// part of an expression says for each place of a name where it may end, and says it once. What that
/// cannot do, which is to look behind or to repeat what was found, is refused.
public struct NamePattern: Sendable {
    private let root: Node

    /// - Throws: `NamePatternError` for what is no expression, or one that is not read.
    public init(_ text: String) throws {
        var parser = NamePatternParser(text)
        root = try parser.expression()
    }

    /// Whether all of a name matches.
    ///
    /// - Parameters:
    ///   - behindDots: whether the end of a name behind a dot may match instead.
    ///   - steps: what is left of the work that may be done; becomes less.
    /// - Throws: `NamePatternError` when nothing is left, or one name takes too much.
    func matches(_ name: String, behindDots: Bool, steps: inout Int) throws -> Bool {
        let allowed = min(steps, Self.mostSteps)
        var matcher = Matcher(name: Array(name.unicodeScalars), steps: allowed)
        defer { steps -= allowed - matcher.steps }
        let places = matcher.name.indices.filter { $0 == 0 || matcher.name[$0 - 1] == "." }
        for start in behindDots ? places : [0] {
            let ends = try matcher.ends(of: root, from: start)
            if ends.contains(matcher.name.count) { return true }
        }
        return false
    }

    /// Whether all of a name matches.
    ///
    /// - Throws: `NamePatternError` for what takes more work than the name of any layer.
    public func matches(_ name: String) throws -> Bool {
        var steps = Self.mostSteps
        return try matches(name, behindDots: false, steps: &steps)
    }

    /// The work that one name may make.
    private static let mostSteps = 200_000

    /// A part of an expression.
    struct Node: Sendable {
        indirect enum Kind: Sendable {
            case scalars(@Sendable (Unicode.Scalar) -> Bool)
            case sequence([Node])
            case choice([Node])
            case repeated(Node, from: Int, to: Int?)
            case start, end
            case wordEdge(isEdge: Bool)
            case ahead(Node, holds: Bool)
        }

        var kind: Kind
        /// Its place in the table.
        var number: Int
    }
}

/// Where parts of an expression may end in one name.
private struct Matcher {
    let name: [Unicode.Scalar]
    var steps: Int
    private var known: [Key: Set<Int>] = [:]

    private struct Key: Hashable {
        var node: Int
        var start: Int
    }

    init(name: [Unicode.Scalar], steps: Int) {
        self.name = name
        self.steps = steps
    }

    mutating func ends(of node: NamePattern.Node, from start: Int) throws -> Set<Int> {
        let key = Key(node: node.number, start: start)
        if let found = known[key] { return found }
        let found = try looked(node, start)
        known[key] = found
        return found
    }

    private mutating func work(_ amount: Int = 1) throws {
        steps -= amount
        if steps < 0 { throw NamePatternError.endless }
    }

    private mutating func looked(_ node: NamePattern.Node, _ start: Int) throws -> Set<Int> {
        try work()
        switch node.kind {
        case .scalars(let fits): return start < name.count && fits(name[start]) ? [start + 1] : []
        case .start: return start == 0 ? [start] : []
        case .end: return start == name.count ? [start] : []
        case .wordEdge(let isEdge): return isEdge == isAtEdge(start) ? [start] : []
        case .ahead(let inner, let holds):
            return try ends(of: inner, from: start).isEmpty != holds ? [start] : []
        case .choice(let nodes):
            return try nodes.reduce(into: []) { $0.formUnion(try ends(of: $1, from: start)) }
        case .sequence(let nodes):
            return try nodes.reduce(Set([start])) { try ends(of: $1, from: $0) }
        case .repeated(let inner, let from, let to):
            return try repeated(inner, from, to, start)
        }
    }

    /// From all of some places.
    private mutating func ends(
        of node: NamePattern.Node, from starts: Set<Int>
    ) throws -> Set<Int> {
        try work(starts.count)
        return try starts.reduce(into: []) { $0.formUnion(try ends(of: node, from: $1)) }
    }

    private mutating func repeated(
        _ node: NamePattern.Node, _ from: Int, _ to: Int?, _ start: Int
    ) throws -> Set<Int> {
        var places: Set<Int> = [start]
        for _ in 0..<from where !places.isEmpty { places = try ends(of: node, from: places) }
        var (all, newest, left) = (places, places, to.map { $0 - from } ?? name.count + 1)
        while !newest.isEmpty, left > 0 {
            newest = try ends(of: node, from: newest).subtracting(all)
            all.formUnion(newest)
            left -= 1
        }
        return all
    }

    private func isAtEdge(_ place: Int) -> Bool {
        func isWord(_ index: Int) -> Bool {
            name.indices.contains(index) && NamePatternParser.isWord(name[index])
        }
        return isWord(place - 1) != isWord(place)
    }
}

/// Why an expression is not taken; completes a sentence that begins with it.
public enum NamePatternError: Error, Hashable, CustomStringConvertible {
    /// What is no expression.
    case malformed(String)
    /// What expressions elsewhere have.
    case unsupported(String)
    /// The work was too much.
    case endless

    public var description: String {
        switch self {
        case .malformed(let what): "is no regular expression: \(what)"
        case .unsupported(let what): "has \(what), which is not read here"
        case .endless: "takes too long to match"
        }
    }
}
