/// A byte-level byte-pair tokenizer.
///
/// Text becomes ids in the order of the reference: added tokens are found in the raw text first; the
/// gaps between them are composed (Qwen), split by the model's pattern, and merged piece by piece.
public struct Tokenizer: Sendable {
    private let encoder: BytePairEncoder
    private let addedTokens: AddedTokens
    private let pattern: SplitPattern
    private let composes: Bool
    /// Settings beside the vocabulary, from `tokenizer_config.json`.
    let settings: TokenizerSettings
    /// The folder it was read from.
    public let folder: String

    /// Reads `tokenizer.json`, or `vocab.json` with `merges.txt`, of a folder.
    ///
    /// - Throws: `TokenizationError` naming the file, what was expected and what was found.
    public init(folder: String) throws {
        let file = try TokenizerFile(folder: folder)
        encoder = try BytePairEncoder(
            vocabulary: file.vocabulary, merges: file.merges, ignoresMerges: file.ignoresMerges,
            file: file.path)
        addedTokens = try AddedTokens(file.addedTokens, file: file.path)
        pattern = file.pattern
        composes = file.composes
        settings = try TokenizerSettings(folder: folder)
        self.folder = folder
    }

    /// One more than the largest id.
    public var vocabularySize: Int {
        max(encoder.vocabulary.size, addedTokens.largestID + 1)
    }

    /// The ids of a text; nothing is added before or behind it.
    public func encode(_ text: String) -> [Int] {
        let bytes = Array(text.utf8)
        var ids: [Int] = []
        var scratch = BytePairEncoder.Scratch()
        var start = 0
        while let match = addedTokens.firstMatch(in: bytes, from: start) {
            encode(bytes[start..<match.range.lowerBound], into: &ids, &scratch)
            ids.append(match.id)
            start = match.range.upperBound
        }
        encode(bytes[start...], into: &ids, &scratch)
        return ids
    }

    private func encode(
        _ gap: ArraySlice<UInt8>, into ids: inout [Int], _ scratch: inout BytePairEncoder.Scratch
    ) {
        guard !gap.isEmpty else { return }
        let bytes = composes ? CanonicalComposition.composed(Array(gap)) : Array(gap)
        Scanner(bytes, pattern: pattern).forEachPiece { piece in
            encoder.encode(bytes[piece], into: &ids, scratch: &scratch)
        }
    }

    /// Words of letters that have no token of their own, each once.
    public func wordsInPieces(of text: String) -> [String] {
        var seen: Set<String> = []
        return text.split { !$0.isLetter }.map(String.init).filter { word in
            seen.insert(word).inserted && encode(word).count > 1
        }
    }

    /// The text of ids; bytes that are not UTF-8 become U+FFFD, unknown ids nothing.
    ///
    /// - Parameter skipsSpecial: whether tokens that steer the model are left out.
    public func decode(_ ids: [Int], skipsSpecial: Bool = false) -> String {
        var bytes: [UInt8] = []
        for id in ids {
            if let added = addedTokens[id] {
                if !(skipsSpecial && added.isSpecial) {
                    bytes.append(contentsOf: added.content.utf8)
                }
            } else {
                bytes.append(contentsOf: encoder.vocabulary.bytes(of: id) ?? [])
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The id of an added token, or of a token as the vocabulary spells it.
    public func id(of token: String) -> Int? {
        addedTokens.id(of: token) ?? encoder.vocabulary.id(spelling: token)
    }
}
