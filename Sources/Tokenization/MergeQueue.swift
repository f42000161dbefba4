/// Merging of one long piece in n log n: a linked list of tokens and a heap of candidate pairs.
struct MergeQueue {
    private let merges: MergeTable
    private var tokens: [Int32]
    private var next: [Int]
    private var previous: [Int]
    /// The rule of the pair that starts at each position; tells live candidates from stale ones.
    private var rules: [MergeTable.Rule]
    /// Candidates, rank in the high half and position in the low half, so that the smallest is
    /// the earliest rule and the leftmost among equals.
    private var heap = MinimumHeap()

    init(_ tokens: [Int32], _ merges: MergeTable) {
        self.merges = merges
        self.tokens = tokens
        next = Array(1..<tokens.count + 1)
        previous = Array(-1..<tokens.count - 1)
        rules = Array(
            repeating: MergeTable.Rule(rank: MergeTable.never, result: -1), count: tokens.count)
        for position in tokens.indices { updateRule(at: position) }
        while let candidate = heap.popMinimum() { merge(candidate) }
    }

    /// Appends what is left after all merges.
    func appendTokens(to ids: inout [Int]) {
        var position = 0
        while position < tokens.count {
            ids.append(Int(tokens[position]))
            position = next[position]
        }
    }

    private mutating func merge(_ candidate: UInt64) {
        let position = Int(candidate & 0xFFFF_FFFF)
        guard rules[position].rank == UInt32(candidate >> 32) else { return }
        let absorbed = next[position]
        tokens[position] = rules[position].result
        rules[absorbed].rank = MergeTable.never
        next[position] = next[absorbed]
        if next[position] < tokens.count { previous[next[position]] = position }
        updateRule(at: position)
        if previous[position] >= 0 { updateRule(at: previous[position]) }
    }

    private mutating func updateRule(at position: Int) {
        guard next[position] < tokens.count else {
            rules[position].rank = MergeTable.never
            return
        }
        rules[position] = merges.rule(tokens[position], tokens[next[position]])
        guard rules[position].rank != MergeTable.never else { return }
        heap.insert(UInt64(rules[position].rank) << 32 | UInt64(position))
    }
}

/// A binary heap that gives its smallest element first.
private struct MinimumHeap {
    private var elements: [UInt64] = []

    mutating func insert(_ element: UInt64) {
        var child = elements.count
        elements.append(element)
        while child > 0, elements[(child - 1) / 2] > elements[child] {
            elements.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func popMinimum() -> UInt64? {
        guard let minimum = elements.first, let last = elements.popLast() else { return nil }
        guard !elements.isEmpty else { return minimum }
        elements[0] = last
        var parent = 0
        while let child = smallerChild(of: parent), elements[child] < elements[parent] {
            elements.swapAt(child, parent)
            parent = child
        }
        return minimum
    }

    private func smallerChild(of parent: Int) -> Int? {
        let left = 2 * parent + 1
        guard left < elements.count else { return nil }
        let right = left + 1
        return right < elements.count && elements[right] < elements[left] ? right : left
    }
}
