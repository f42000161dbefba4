internal import Torch

/// Where the words of a padded text stand, and what that saves.
///
/// A token may look at words up to its own place, never at padding. So words look at each other,
/// padding behind them looks at all of them, and padding before them at nothing: its rows are all
/// equal, and one is computed for all.
struct PaddedText {
    /// Tokens in all.
    let count: Int
    /// The tokens that are no padding; they follow each other.
    let words: Range<Int>

    /// - Parameter real: false for padding, which stands on either side.
    init(_ real: [Bool]) {
        count = real.count
        let first = real.firstIndex(of: true) ?? count
        let end = real.lastIndex(of: true).map { $0 + 1 } ?? count
        precondition(real[first..<end].allSatisfy { $0 }, "padding between words")
        words = first..<end
    }

    /// The tokens to compute: all but those before the words, of which the last is kept.
    var computed: Range<Int> { max(words.lowerBound - 1, 0)..<count }

    /// Gives the rows of all tokens from those of the computed ones.
    ///
    /// - Shapes: `rows` [1, computed, D] → [1, count, D].
    func completed(_ rows: Tensor) throws -> Tensor {
        let missing = computed.lowerBound
        guard missing > 0 else { return rows }
        let copies = try rows.slice(0..<1, along: 1).expanded([1, missing, rows.size(2)])
        return try .concatenating([copies, rows], along: 1)
    }

    /// - Shapes: `q` [1, H, computed, d]; `k`, `v` [1, Hk, computed, d] → [1, H, computed, d].
    func attention(_ q: Tensor, _ k: Tensor, _ v: Tensor) throws -> Tensor {
        let blind = words.lowerBound - computed.lowerBound
        let end = blind + words.count
        let grouped = q.size(1) != k.size(1)
        let (keys, values) = try (
            k.slice(blind..<end, along: 2), v.slice(blind..<end, along: 2)
        )
        var parts: [Tensor] = []
        if blind > 0 {
            let shape = [q.size(0), q.size(1), blind, q.size(3)]
            parts.append(try .zeros(shape, dtype: q.dtype, device: q.device))
        }
        if !words.isEmpty {
            let seeing = try q.slice(blind..<end, along: 2)
            parts.append(
                try Torch.attention(seeing, keys, values, causal: true, grouped: grouped))
        }
        if end < q.size(2) {
            let behind = try q.slice(end..<q.size(2), along: 2)
            parts.append(try Torch.attention(behind, keys, values, grouped: grouped))
        }
        return parts.count == 1 ? parts[0] : try .concatenating(parts, along: 2)
    }
}
