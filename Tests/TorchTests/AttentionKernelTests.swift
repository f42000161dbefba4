import Testing

@testable import Torch

@Suite(
    "The kernel of attention is as close to exact results as libtorch",
    .enabled(if: Kernel.attention.isUsed, "needs AVX-512 with BF16"))
struct AttentionKernelTests {
    /// Batch, heads, heads of keys, queries, keys, head size.
    struct Case: CustomTestStringConvertible {
        var batch = 1
        var heads = 2
        var shared = 1
        var queries: Int
        var keys: Int
        var size = 128
        var causal = false
        var scale = 1.0

        var testDescription: String {
            "\(batch) x \(heads)/\(shared) heads of \(size), \(queries) to \(keys)"
                + (causal ? " causal" : "")
        }
    }

    static let cases = [
        Case(queries: 1, keys: 1), Case(queries: 1, keys: 700), Case(queries: 96, keys: 512),
        Case(queries: 97, keys: 513), Case(batch: 2, queries: 77, keys: 77),
        Case(queries: 600, keys: 1100), Case(queries: 5, keys: 64, scale: 30),
        Case(heads: 4, shared: 2, queries: 130, keys: 130, causal: true),
        Case(heads: 8, shared: 4, queries: 601, keys: 601, causal: true),
        Case(batch: 2, queries: 700, keys: 650, size: 64, causal: true),
        Case(heads: 1, queries: 300, keys: 300, size: 512),
        Case(heads: 1, queries: 49, keys: 257, size: 512, scale: 3),
        Case(queries: 65, keys: 33, size: 16), Case(queries: 40, keys: 200, size: 48),
        Case(queries: 40, keys: 200, size: 80), Case(queries: 9, keys: 31, size: 8),
        Case(queries: 20, keys: 40, size: 256), Case(queries: 6, keys: 100, size: 6),
    ]

    /// Heads beside each other for each token, in rows that hold more.
    private func heads(_ c: Case, _ count: Int, _ heads: Int, _ seed: UInt64) throws -> Tensor {
        try randomNumbers([c.batch, count, heads * c.size + 32], seed: seed)
            .slice(16..<heads * c.size + 16, along: 2)
            .reshaped([c.batch, count, heads, c.size]).transposed(1, 2)
    }

    private func operands(_ c: Case) throws -> (q: Tensor, k: Tensor, v: Tensor) {
        try (
            heads(c, c.queries, c.heads, 1) * c.scale, heads(c, c.keys, c.heads / c.shared, 2),
            heads(c, c.keys, c.heads / c.shared, 3)
        )
    }

    @Test(arguments: cases)
    func agrees(_ c: Case) throws {
        let (q, k, v) = try operands(c)
        #expect(Kernel.attention.serves(q, k, v))
        func attended(_ q: Tensor, _ k: Tensor, _ v: Tensor) throws -> Tensor {
            try attention(q, k, v, causal: c.causal, grouped: c.shared > 1)
        }
        let exact = try attended(exactly(q), exactly(k), exactly(v))
        try expectKernel(.attention, within: 4e-3, exact: exact) { try attended(q, k, v) }
    }

    /// Padding on either side, on none, and nothing but padding.
    @Test(arguments: [[0..<9, 3..<40], [17..<40, 0..<40], [0..<0, 39..<40]])
    func looksAtWordsOnly(_ words: [Range<Int>]) throws {
        let c = Case(batch: 2, heads: 4, shared: 2, queries: 40, keys: 40)
        let (q, k, v) = try operands(c)
        let mask = try Tensor.from(
            words.flatMap { words in
                (0..<40).flatMap { i in (0..<40).map { words.contains($0) && $0 <= i } }
            }, shape: [2, 1, 40, 40])
        let exact = try attention(exactly(q), exactly(k), exactly(v), mask: mask, grouped: true)
        try expectKernel(.attention, exact: exact) {
            try attention(q, k, v, words: words, mask: mask)
        }
        let rows: [Float] = try attention(q, k, v, words: words, mask: mask).abs()
            .sum(along: [1, 3]).to(dtype: .float32).values()
        let seeing = words.flatMap { words in
            (0..<40).map { !words.isEmpty && $0 >= words.lowerBound }
        }
        #expect(rows.map { $0 > 0 } == seeing)
    }

    /// Every result follows from its query and the keys alone.
    @Test func rowsDoNotDependOnWhatElseIsComputed() throws {
        let c = Case(batch: 2, heads: 3, queries: 230, keys: 600)
        let (q, k, v) = try operands(c)
        let whole = try attention(q, k, v)
        let part = try attention(q.slice(13..<201, along: 2), k, v)
        #expect(try part.isEqual(to: whole.slice(13..<201, along: 2)))
        let second = try attention(
            q.slice(1..<2, along: 0), k.slice(1..<2, along: 0), v.slice(1..<2, along: 0))
        #expect(try second.isEqual(to: whole.slice(1..<2, along: 0)))
        let gathered = try attention(q.contiguous(), k.contiguous(), v.contiguous())
        #expect(try gathered.isEqual(to: whole))
    }

    @Test func theNumberOfThreadsChangesNothing() throws {
        let (q, k, v) = try operands(Case(heads: 5, queries: 400, keys: 700))
        let before = Runtime.threads
        defer { Runtime.threads = before }
        let many = try attention(q, k, v)
        Runtime.threads = 1
        #expect(try attention(q, k, v).isEqual(to: many))
    }

    /// Groups of padding before the words change no bit, as texts rely on.
    @Test func paddingBeforeTheWordsChangesNothing() throws {
        let c = Case(heads: 4, shared: 2, queries: 96, keys: 96)
        let (q, k, v) = try operands(c)
        let mask = try Tensor.ones([1, 1, 1, 1], dtype: .bool)
        let whole = try attention(q, k, v, words: [40..<96], mask: mask)
        func rest(_ x: Tensor) throws -> Tensor { try x.slice(32..<96, along: 2) }
        let trimmed = try attention(rest(q), rest(k), rest(v), words: [8..<64], mask: mask)
        #expect(try trimmed.isEqual(to: rest(whole)))
    }

    @Test func numbersThatAreNoneStayInSight() throws {
        let (q, k, v) = try operands(Case(heads: 1, queries: 3, keys: 40))
        let none = try Tensor.full([1, 1, 1, 128], Double.nan, dtype: .bfloat16)
        let rows = try Tensor.concatenating([q.slice(0..<2, along: 2), none], along: 2)
        let sums: [Float] = try attention(rows, k, v).sum(along: [3]).to(dtype: .float32).values()
        #expect(sums.map(\.isNaN) == [false, false, true])
        let keys = try Tensor.concatenating([k.slice(0..<39, along: 2), none], along: 2)
        #expect(try !attention(q, keys, v).isFinite().allTrue())
    }

    @Test func emptyTensorsGiveEmptyOnes() throws {
        let k = try randomNumbers([1, 2, 5, 32], seed: 4)
        let q = try Tensor.empty([1, 2, 0, 32], dtype: .bfloat16)
        #expect(try attention(q, k, k).shape == [1, 2, 0, 32])
    }
}
