internal import FileSupport

/// The tokens of a byte-level model: bytes to id and back.
struct Vocabulary: Sendable {
    /// Larger ids are taken for damage; published vocabularies end below 300,000.
    static let largestID = (1 << 22) - 1

    private var table: ByteTable
    /// Index into `table` plus one for each id; zero where the id is unused or not byte-level.
    private var entryOfID: [Int32] = []
    /// Tokens with characters outside the byte alphabet: never produced by merging.
    private var others: [String: Int] = [:]
    private var otherOfID: [Int: String] = [:]

    init(capacity: Int = 0) {
        table = ByteTable(capacity: capacity)
        entryOfID.reserveCapacity(capacity)
    }

    /// One more than the largest id.
    var size: Int { max(entryOfID.count, (otherOfID.keys.max() ?? -1) + 1) }

    /// The id of the token with exactly these bytes.
    func id(of bytes: some RandomAccessCollection<UInt8>) -> Int? { table.id(of: bytes) }

    /// The id of a token as a vocabulary file spells it.
    func id(spelling: String) -> Int? {
        var bytes: [UInt8] = []
        guard ByteAlphabet.append(spelling: Array(spelling.utf8), to: &bytes) else {
            return others[spelling]
        }
        return table.id(of: bytes)
    }

    /// The bytes of a token.
    func bytes(of id: Int) -> [UInt8]? {
        if let other = otherOfID[id] { return Array(other.utf8) }
        guard entryOfID.indices.contains(id), entryOfID[id] > 0 else { return nil }
        return Array(table.bytes(at: Int(entryOfID[id]) - 1))
    }

    /// A token as a vocabulary file spells it.
    func spelling(of id: Int) -> String? {
        otherOfID[id] ?? bytes(of: id).map { ByteAlphabet.spelling(of: $0) }
    }

    /// Adds a token spelled in the byte alphabet.
    ///
    /// - Parameter scratch: Working space, reused between calls.
    /// - Throws: When the id or the token is taken, or the id is out of range.
    mutating func insert(
        spelling: [UInt8], id: Int, scratch: inout [UInt8], file: String
    ) throws {
        guard 0...Self.largestID ~= id else {
            throw TokenizationError(
                .idOutOfRange(
                    token: String(decoding: spelling, as: UTF8.self), id: id,
                    limit: Self.largestID), file: file)
        }
        if let taken = self.spelling(ifTaken: id) {
            throw collision(spelling, id, "'\(taken)'", file)
        }
        scratch.removeAll(keepingCapacity: true)
        guard ByteAlphabet.append(spelling: spelling, to: &scratch) else {
            return try insertOther(spelling, id: id, file: file)
        }
        if let existing = table.insert(scratch, id: Int32(id)) {
            throw collision(spelling, id, "the same token with id \(existing)", file)
        }
        if id >= entryOfID.count {
            entryOfID.append(contentsOf: repeatElement(0, count: id + 1 - entryOfID.count))
        }
        entryOfID[id] = Int32(table.count)
    }

    private func spelling(ifTaken id: Int) -> String? {
        if entryOfID.indices.contains(id), entryOfID[id] > 0 { return spelling(of: id) }
        return otherOfID.isEmpty ? nil : otherOfID[id]
    }

    private mutating func insertOther(_ spelling: [UInt8], id: Int, file: String) throws {
        guard let text = validated(spelling) else {
            throw TokenizationError(
                .unexpected(key: "vocab", expected: "tokens in UTF-8", found: "other bytes"),
                file: file)
        }
        if let existing = others.updateValue(id, forKey: text) {
            throw collision(spelling, id, "the same token with id \(existing)", file)
        }
        otherOfID[id] = text
    }

    private func collision(
        _ spelling: [UInt8], _ id: Int, _ other: String, _ file: String
    ) -> TokenizationError {
        TokenizationError(
            .collision(token: String(decoding: spelling, as: UTF8.self), id: id, with: other),
            file: file)
    }
}
