internal import FileSupport
internal import Foundation

/// What is read of `tokenizer.json`, or of the three files that older models have in its place.
struct TokenizerFile {
    /// The file that errors name.
    let path: String
    private(set) var vocabulary = Vocabulary()
    private(set) var merges = MergeTable()
    private(set) var addedTokens: [AddedToken] = []
    private(set) var ignoresMerges = false
    private(set) var composes = false
    private(set) var pattern = SplitPattern.qwen

    /// - Throws: `TokenizationError` for a file that is missing, damaged, or asks for something that
    ///   byte-level models of this family do not have.
    init(folder: String) throws {
        let whole = folder + "/tokenizer.json"
        let isWhole = FileManager.default.fileExists(atPath: whole)
        path = isWhole ? whole : folder + "/vocab.json"
        guard FileManager.default.fileExists(atPath: path) else {
            throw TokenizationError(
                .missing(expected: "tokenizer.json, or vocab.json with merges.txt"), file: folder)
        }
        do {
            if isWhole { try readWhole() } else { try readParts(folder) }
        } catch let error as JSONError {
            throw TokenizationError(.malformedJSON(error.description), file: path)
        }
    }

    private static func bytes(of path: String) throws -> [UInt8] {
        do {
            return try WholeFile.bytes(path)
        } catch let error as FileError {
            throw TokenizationError(.unreadable(cause: error.cause), file: path)
        }
    }

    private func unexpected(_ key: String, _ expected: String, _ found: String) -> TokenizationError
    {
        TokenizationError(.unexpected(key: key, expected: expected, found: found), file: path)
    }
}

// MARK: tokenizer.json

extension TokenizerFile {
    private mutating func readWhole() throws {
        var reader = JSONReader(try Self.bytes(of: path))
        let positions = try reader.memberPositions()
        try reader.expectEnd()
        func value(_ key: String) throws -> JSONValue {
            guard let position = positions[key] else { return .null }
            reader.position = position
            return try reader.value()
        }
        try readNormalizer(value("normalizer"))
        try readPreTokenizer(value("pre_tokenizer"))
        addedTokens = try (value("added_tokens").array ?? []).map(addedToken)
        guard let model = positions["model"] else {
            throw unexpected("model", "an object", "nothing")
        }
        reader.position = model
        try readModel(&reader)
    }

    private mutating func readNormalizer(_ value: JSONValue) throws {
        switch value["type"].string {
        case "NFC": composes = true
        case nil where value == .null: composes = false
        default: throw unexpected("normalizer", "NFC or null", value.summary)
        }
    }

    /// A split by a known pattern, then the byte alphabet.
    private mutating func readPreTokenizer(_ value: JSONValue) throws {
        let parts = value["pretokenizers"].array ?? []
        guard parts.count == 2, parts[0]["type"].string == "Split",
            parts[1]["type"].string == "ByteLevel",
            let expression = parts[0]["pattern"]["Regex"].string
        else { throw unexpected("pre_tokenizer", "a Split and a ByteLevel", value.summary) }
        guard let pattern = SplitPattern(expression: expression) else {
            throw TokenizationError(.unknownPattern(expression), file: path)
        }
        self.pattern = pattern
        try require(parts[0], "pre_tokenizer", ["behavior": "Isolated"], off: ["invert"])
        try require(parts[1], "pre_tokenizer", [:], off: ["add_prefix_space", "use_regex"])
    }

    private func addedToken(_ value: JSONValue) throws -> AddedToken {
        guard let id = value["id"].integer, let content = value["content"].string else {
            throw unexpected("added_tokens", "an id and a content each", value.summary)
        }
        try require(
            value, "added_tokens '\(content)'", [:],
            off: ["single_word", "lstrip", "rstrip", "normalized"])
        return AddedToken(id: id, content: content, isSpecial: value["special"].boolean ?? false)
    }

    /// Refuses settings that would change what comes out.
    private func require(
        _ value: JSONValue, _ key: String, _ texts: [String: String], off flags: [String]
    ) throws {
        for (name, text) in texts where value[name].string != text {
            throw unexpected("\(key).\(name)", text, value[name].summary)
        }
        for flag in flags where value[flag].boolean ?? false {
            throw unexpected("\(key).\(flag)", "false", "true")
        }
    }

    private mutating func readModel(_ reader: inout JSONReader) throws {
        let positions = try reader.memberPositions()
        var settings: [String: JSONValue] = [:]
        for (key, position) in positions where key != "vocab" && key != "merges" {
            reader.position = position
            settings[key] = try reader.value()
        }
        try checkModel(settings)
        ignoresMerges = settings["ignore_merges"]?.boolean ?? false
        guard let vocabulary = positions["vocab"], let merges = positions["merges"] else {
            throw unexpected("model", "a vocab and merges", "neither or one")
        }
        reader.position = vocabulary
        try readVocabulary(&reader)
        reader.position = merges
        try readMerges(&reader)
    }

    /// Refuses models that are no plain byte-pair encoding.
    private func checkModel(_ settings: [String: JSONValue]) throws {
        let plain: [(String, [JSONValue])] = [
            ("type", [.null, .string("BPE")]), ("dropout", [.null, .number(0)]),
            ("byte_fallback", [.null, .boolean(false)]),
            ("continuing_subword_prefix", [.null, .string("")]),
            ("end_of_word_suffix", [.null, .string("")]),
        ]
        for (key, allowed) in plain {
            let value = settings[key] ?? .null
            guard allowed.contains(value) else {
                throw unexpected(
                    "model.\(key)", allowed.last?.summary ?? "nothing", value.summary)
            }
        }
    }

    private mutating func readVocabulary(_ reader: inout JSONReader) throws {
        var (table, scratch) = (Vocabulary(capacity: 1 << 17), [UInt8]())
        try reader.object { reader, spelling in
            try table.insert(
                spelling: spelling, id: reader.integer(), scratch: &scratch, file: path)
        }
        vocabulary = table
    }

    /// Rules are pairs, or texts with one space between the two.
    private mutating func readMerges(_ reader: inout JSONReader) throws {
        var builder = MergeBuilder(vocabulary, file: path)
        var (left, right) = ([UInt8](), [UInt8]())
        try reader.array { reader in
            guard reader.peek() == UInt8(ascii: "[") else {
                try reader.string(into: &left)
                return try builder.insert(line: left)
            }
            try reader.expect(UInt8(ascii: "["), "a pair")
            try reader.string(into: &left)
            try reader.expect(UInt8(ascii: ","), "','")
            try reader.string(into: &right)
            try reader.expect(UInt8(ascii: "]"), "the end of a pair")
            try builder.insert(left, right)
        }
        merges = builder.table
    }
}

// MARK: vocab.json, merges.txt, added_tokens.json

extension TokenizerFile {
    private mutating func readParts(_ folder: String) throws {
        composes = true
        var reader = JSONReader(try Self.bytes(of: path))
        try readVocabulary(&reader)
        try reader.expectEnd()
        var builder = MergeBuilder(vocabulary, file: folder + "/merges.txt")
        let lines = try Self.bytes(of: folder + "/merges.txt").split(separator: 0x0A)
        for line in lines where !line.starts(with: "#version".utf8) {
            try builder.insert(line: line.last == 0x0D ? line.dropLast() : line)
        }
        merges = builder.table
        let added = folder + "/added_tokens.json"
        guard FileManager.default.fileExists(atPath: added) else { return }
        reader = JSONReader(try Self.bytes(of: added))
        addedTokens = try (reader.document().object ?? [:]).map { content, id in
            try addedToken(.object(["id": id, "content": .string(content)]))
        }
    }
}

/// Gathers merge rules in the order of their ranks.
private struct MergeBuilder {
    private let vocabulary: Vocabulary
    private let file: String
    private(set) var table = MergeTable(capacity: 1 << 17)
    private var rank: UInt32 = 0
    private var bytes: [UInt8] = []

    init(_ vocabulary: Vocabulary, file: String) {
        self.vocabulary = vocabulary
        self.file = file
    }

    /// Adds a rule written as two tokens with a space between them.
    mutating func insert(line: some RandomAccessCollection<UInt8>) throws {
        guard let space = line.firstIndex(of: UInt8(ascii: " ")) else {
            throw unknown(line)
        }
        try insert(line[..<space], line[line.index(after: space)...])
    }

    mutating func insert(
        _ left: some RandomAccessCollection<UInt8>, _ right: some RandomAccessCollection<UInt8>
    ) throws {
        bytes.removeAll(keepingCapacity: true)
        guard ByteAlphabet.append(spelling: left, to: &bytes) else { throw unknown(left) }
        let middle = bytes.count
        guard ByteAlphabet.append(spelling: right, to: &bytes) else { throw unknown(right) }
        guard let first = vocabulary.id(of: bytes[..<middle]) else { throw unknown(left) }
        guard let second = vocabulary.id(of: bytes[middle...]) else { throw unknown(right) }
        guard let result = vocabulary.id(of: bytes) else { throw unknown(Array(left) + right) }
        table.insert(
            Int32(first), Int32(second), MergeTable.Rule(rank: rank, result: Int32(result)))
        rank += 1
    }

    private func unknown(_ token: some Sequence<UInt8>) -> TokenizationError {
        TokenizationError(
            .unknownTokenInMerge(
                index: Int(rank), token: String(decoding: Array(token), as: UTF8.self)),
            file: file)
    }
}
