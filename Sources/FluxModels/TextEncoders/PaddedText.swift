internal import Torch

/// Where the words of a padded text stand, and what that saves.
///
/// A token may look at words up to its own place, never at padding. So padding before the words
/// looks at nothing: its rows are all equal, and few are computed for all. Padding behind them looks
/// at all words, and no token needs the keys of padding.
struct PaddedText {
    /// Tokens in all.
    private let count: Int
    /// The tokens to compute: all but most of those before the words.
    let computed: Range<Int>
    /// The keys that are looked at, counted from the first computed token.
    private let keys: Range<Int>
    /// The words of each text, counted likewise.
    private let words: [Range<Int>]
    /// True where a token may look at a key, [B, 1, computed, keys].
    private let allowed: Tensor
    /// True for tokens that may look at anything, [B, 1, computed, 1]; nil when all may.
    private let attendsToAny: Tensor?

    /// Left out are whole groups of this size, so that kernels add up the rest in the same order as
    /// the whole: results stay the same bit for bit.
    private static let group = 16
    /// The longest text for which that holds; libtorch's kernels split longer sums elsewhere.
    private static let longest = 128

    /// - Parameter real: false for padding, which stands on either side.
    init(_ real: [Bool], device: Device) throws {
        count = real.count
        let first = real.firstIndex(of: true) ?? count
        let end = real.lastIndex(of: true).map { $0 + 1 } ?? count
        precondition(real[first..<end].allSatisfy { $0 }, "padding between words")
        computed = max(first - 1, 0) / Self.group * Self.group..<count
        let needed = end - computed.lowerBound
        let rounded = min((needed + Self.group - 1) / Self.group * Self.group, computed.count)
        keys = 0..<(end - first <= Self.longest ? rounded : computed.count)
        let start = computed.lowerBound
        words = [first - start..<max(first, end) - start]
        allowed = try Self.mask(computed, keys: keys.count, words: first..<end).to(device: device)
        attendsToAny =
            first == 0
            ? nil
            : try Tensor.from(computed.map { $0 >= first })
                .reshaped([1, 1, computed.count, 1]).to(device: device)
    }

    /// Texts of one length side by side, of which all tokens are computed.
    init(batch texts: [[Bool]], device: Device) throws {
        count = texts.first?.count ?? 0
        computed = 0..<count
        keys = computed
        let words = texts.map { real in
            (real.firstIndex(of: true) ?? 0)..<(real.lastIndex(of: true).map { $0 + 1 } ?? 0)
        }
        self.words = words
        let all = computed
        // Many texts are equally long.
        var masks: [Range<Int>: Tensor] = [:]
        for words in Set(words) { masks[words] = try Self.mask(all, keys: all.count, words: words) }
        allowed = try Tensor.concatenating(words.compactMap { masks[$0] }, along: 0)
            .to(device: device)
        attendsToAny =
            words.allSatisfy { $0.lowerBound == 0 }
            ? nil
            : try Tensor.from(words.flatMap { words in all.map { $0 >= words.lowerBound } })
                .reshaped([texts.count, 1, all.count, 1]).to(device: device)
    }

    private static func mask(
        _ computed: Range<Int>, keys: Int, words: Range<Int>
    ) throws -> Tensor {
        let rows = computed.flatMap { token in
            (computed.lowerBound..<computed.lowerBound + keys).map {
                $0 <= token && words.contains($0)
            }
        }
        return try .from(rows, shape: [1, 1, computed.count, keys])
    }

    /// Gives the rows of all tokens from those of the computed ones.
    ///
    /// - Shapes: `rows` [1, computed, D] → [1, count, D].
    func padded(_ rows: Tensor) throws -> Tensor {
        let missing = computed.lowerBound
        guard missing > 0 else { return rows }
        let copies = try rows.slice(0..<1, along: 1).expanded([1, missing, rows.size(2)])
        return try .concatenating([copies, rows], along: 1)
    }

    /// - Shapes: `q` [B, H, computed, d]; `k`, `v` [B, Hk, computed, d] → [B, H, computed, d].
    func attention(_ q: Tensor, _ k: Tensor, _ v: Tensor) throws -> Tensor {
        let result = try Torch.attention(
            q, k.slice(keys, along: 2), v.slice(keys, along: 2), words: words, mask: allowed)
        // The CPU kernel gives zeros for blind queries; other devices promise nothing.
        guard let attendsToAny, q.device.computesAs != .cpu else { return result }
        return try .choosing(
            attendsToAny, result, .zeros([1], dtype: result.dtype, device: q.device))
    }
}
