/// A token that is found in the raw text before anything else happens.
struct AddedToken: Hashable, Sendable {
    var id: Int
    var content: String
    /// Whether the token steers the model rather than standing for text.
    var isSpecial: Bool
}

/// The added tokens of a tokenizer, searched leftmost first and longest among those.
struct AddedTokens: Sendable {
    private var table: ByteTable
    private var tokens: [Int: AddedToken] = [:]
    /// For each first byte the lengths of the tokens that start with it, longest first.
    private var lengths: [[Int]] = Array(repeating: [], count: 256)

    /// - Throws: When two tokens share an id, or one has two.
    init(_ added: [AddedToken], file: String) throws {
        table = ByteTable(capacity: added.count)
        for token in added { try insert(token, file: file) }
        for first in lengths.indices { lengths[first] = Set(lengths[first]).sorted(by: >) }
    }

    /// The largest id, -1 when there are no tokens.
    var largestID: Int { tokens.keys.max() ?? -1 }

    /// The token with an id.
    subscript(_ id: Int) -> AddedToken? { tokens[id] }

    /// The id of an added token.
    func id(of content: String) -> Int? { table.id(of: Array(content.utf8)) }

    /// The first token in the text from a position on.
    func firstMatch(in text: [UInt8], from start: Int) -> (range: Range<Int>, id: Int)? {
        for position in start..<text.count {
            for length in lengths[Int(text[position])] where position + length <= text.count {
                let range = position..<position + length
                if let id = table.id(of: text[range]) { return (range, id) }
            }
        }
        return nil
    }

    private mutating func insert(_ token: AddedToken, file: String) throws {
        let bytes = Array(token.content.utf8)
        guard let first = bytes.first else { return }  // would match everywhere and nowhere
        guard 0...Vocabulary.largestID ~= token.id else {
            throw TokenizationError(
                .idOutOfRange(token: token.content, id: token.id, limit: Vocabulary.largestID),
                file: file)
        }
        if let other = tokens.updateValue(token, forKey: token.id) {
            throw collision(token, "'\(other.content)'", file)
        }
        if let existing = table.insert(bytes, id: Int32(token.id)) {
            throw collision(token, "the same token with id \(existing)", file)
        }
        lengths[Int(first)].append(bytes.count)
    }

    private func collision(
        _ token: AddedToken, _ other: String, _ file: String
    ) -> TokenizationError {
        TokenizationError(
            .collision(token: token.content, id: token.id, with: other), file: file)
    }
}
