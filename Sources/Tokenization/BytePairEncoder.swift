/// Byte-level byte-pair encoding of one pre-tokenized piece.
struct BytePairEncoder: Sendable {
    /// Pieces up to this many bytes are merged by plain search, longer ones with a heap: the
    /// search is faster for words, but quadratic.
    private static let longestSearchedPiece = 48

    let vocabulary: Vocabulary
    let merges: MergeTable
    /// Whether a piece that is a token by itself is taken whole, without merging.
    let ignoresMerges: Bool
    /// The token of each single byte.
    private let singles: [Int32]

    /// - Throws: When the vocabulary lacks a token for a single byte.
    init(
        vocabulary: Vocabulary, merges: MergeTable, ignoresMerges: Bool, file: String
    ) throws {
        self.vocabulary = vocabulary
        self.merges = merges
        self.ignoresMerges = ignoresMerges
        singles = try (UInt8.min...UInt8.max).map { byte in
            guard let id = vocabulary.id(of: [byte]) else {
                throw TokenizationError(.missingByte(byte), file: file)
            }
            return Int32(id)
        }
    }

    /// Working space, kept between pieces.
    struct Scratch {
        fileprivate var tokens: [Int32] = []
        fileprivate var rules: [MergeTable.Rule] = []
    }

    /// Appends the ids of a piece.
    func encode(_ piece: ArraySlice<UInt8>, into ids: inout [Int], scratch: inout Scratch) {
        if ignoresMerges, let id = vocabulary.id(of: piece) { return ids.append(id) }
        if piece.count > Self.longestSearchedPiece {
            let tokens = piece.map { singles[Int($0)] }
            return MergeQueue(tokens, merges).appendTokens(to: &ids)
        }
        scratch.tokens.removeAll(keepingCapacity: true)
        for byte in piece { scratch.tokens.append(singles[Int(byte)]) }
        mergeBySearch(&scratch)
        for token in scratch.tokens { ids.append(Int(token)) }
    }

    /// Joins the pair with the smallest rank, the leftmost among equals, until none joins.
    private func mergeBySearch(_ scratch: inout Scratch) {
        scratch.rules.removeAll(keepingCapacity: true)
        for index in scratch.tokens.indices.dropLast() {
            scratch.rules.append(merges.rule(scratch.tokens[index], scratch.tokens[index + 1]))
        }
        while let best = indexOfFirstMerge(scratch.rules) {
            scratch.tokens[best] = scratch.rules[best].result
            scratch.tokens.remove(at: best + 1)
            scratch.rules.remove(at: best)
            if best > 0 {
                scratch.rules[best - 1] = merges.rule(
                    scratch.tokens[best - 1], scratch.tokens[best])
            }
            if best < scratch.rules.count {
                scratch.rules[best] = merges.rule(scratch.tokens[best], scratch.tokens[best + 1])
            }
        }
    }

    private func indexOfFirstMerge(_ rules: [MergeTable.Rule]) -> Int? {
        var best: Int?
        var rank = MergeTable.never
        for index in rules.indices where rules[index].rank < rank {
            best = index
            rank = rules[index].rank
        }
        return best
    }
}
