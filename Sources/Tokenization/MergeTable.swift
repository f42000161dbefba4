/// The merge rules of a vocabulary: which pairs of tokens join, how early, and into what.
struct MergeTable: Sendable {
    /// The rank of a pair that does not join.
    static let never = UInt32.max

    /// A rule: smaller ranks go first.
    struct Rule {
        var rank: UInt32
        var result: Int32
    }

    /// Open addressing; a slot with rank `never` is free.
    private var pairs: [UInt64]
    private var rules: [Rule]
    private var count = 0

    init(capacity: Int = 0) {
        var slots = 16
        while slots * 3 < capacity * 4 { slots *= 2 }
        pairs = Array(repeating: 0, count: slots)
        rules = Array(repeating: Rule(rank: Self.never, result: -1), count: slots)
    }

    /// The rule for two neighbors; its rank is `never` when there is none.
    func rule(_ left: Int32, _ right: Int32) -> Rule {
        rules[slot(of: Self.pair(left, right))]
    }

    /// Adds a rule; of two rules for one pair the later one stays, as in the reference.
    mutating func insert(_ left: Int32, _ right: Int32, _ rule: Rule) {
        if (count + 1) * 4 > pairs.count * 3 { grow() }
        let pair = Self.pair(left, right)
        let slot = slot(of: pair)
        if rules[slot].rank == Self.never { count += 1 }
        pairs[slot] = pair
        rules[slot] = rule
    }

    /// The slot that holds the pair, or the free one where it belongs.
    private func slot(of pair: UInt64) -> Int {
        var slot = Int(truncatingIfNeeded: Self.hash(pair)) & (pairs.count - 1)
        while rules[slot].rank != Self.never, pairs[slot] != pair {
            slot = (slot + 1) & (pairs.count - 1)
        }
        return slot
    }

    private mutating func grow() {
        let old = (pairs, rules)
        pairs = Array(repeating: 0, count: old.0.count * 2)
        rules = Array(repeating: Rule(rank: Self.never, result: -1), count: pairs.count)
        for (pair, rule) in zip(old.0, old.1) where rule.rank != Self.never {
            let slot = slot(of: pair)
            pairs[slot] = pair
            rules[slot] = rule
        }
    }

    private static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    private static func hash(_ pair: UInt64) -> UInt64 {
        let mixed = pair &* 0x9E37_79B9_7F4A_7C15
        return mixed ^ mixed >> 32
    }
}
