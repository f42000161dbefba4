/// Learns merges until every word is one token.
///
/// Words are what captions have between blanks; a blank stays a token of its own, so that a word is
/// the same token wherever it stands.
struct BytePairTraining {
    /// Pairs of tokens that become one, in order.
    private(set) var merges: [(left: [UInt8], right: [UInt8])] = []

    /// - Parameter words: with their repetitions; frequent words come first.
    init(words: [String]) {
        var counts: [String: Int] = [:]
        for word in words { counts[word, default: 0] += 1 }
        var open = counts.map { (pieces: $0.key.utf8.map { [$0] }, count: $0.value, word: $0.key) }
            .filter { $0.pieces.count > 1 }
            .sorted { ($1.count, $0.word) < ($0.count, $1.word) }
        while !open.isEmpty {
            let pair = Self.mostFrequent(open.map { ($0.pieces, $0.count) })
            merges.append((pair[0], pair[1]))
            for place in open.indices { Self.merge(pair, in: &open[place].pieces) }
            open.removeAll { $0.pieces.count == 1 }
        }
    }

    /// The first of the most frequent pairs in the order of their bytes.
    private static func mostFrequent(_ words: [(pieces: [[UInt8]], count: Int)]) -> [[UInt8]] {
        var counts: [[[UInt8]]: Int] = [:]
        for (pieces, count) in words {
            for place in 1..<pieces.count {
                counts[[pieces[place - 1], pieces[place]], default: 0] += count
            }
        }
        let best = counts.values.max() ?? 0
        let candidates = counts.filter { $0.value == best }.keys
        return candidates.min { $0.joined().lexicographicallyPrecedes($1.joined()) } ?? []
    }

    private static func merge(_ pair: [[UInt8]], in pieces: inout [[UInt8]]) {
        var place = 1
        while place < pieces.count {
            if pieces[place - 1] == pair[0], pieces[place] == pair[1] {
                pieces[place - 1] += pieces.remove(at: place)
            } else {
                place += 1
            }
        }
    }
}
