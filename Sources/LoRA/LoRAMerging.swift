internal import Torch

extension LoRAChanges {
    /// Several LoRAs as one, of the ranks together; strengths are folded in.
    ///
    /// - Throws: `LoRAError` for changes that are not of low rank.
    public static func merged(
        _ all: [(changes: LoRAChanges, strength: Double)], source: String
    ) throws -> LoRAChanges {
        var merged = LoRAChanges()
        for key in Set(all.flatMap { $0.changes.adapters.keys }) {
            let parts = try all.compactMap { changes, strength in
                try changes.adapters[key].map { try $0.factors(strength, source, key) }
            }
            let shapes = Set(parts.map { [$0.up.size(0), $0.down.size(1)] })
            guard shapes.count == 1 else { throw LoRAError(path: source, reason: .unequal(key)) }
            let widest = parts.map(\.down.dtype).max { $0.byteCount < $1.byteCount } ?? .float32
            merged.adapters[key] = Adapter(
                .lowRank(
                    down: try .concatenating(
                        parts.map { try $0.down.to(dtype: widest) }, along: 0),
                    up: try .concatenating(parts.map { try $0.up.to(dtype: widest) }, along: 1)))
        }
        return merged
    }
}

extension Adapter {
    /// The matrices with scale and strength in the second, multiplied in float32.
    fileprivate func factors(
        _ strength: Double, _ source: String, _ key: String
    ) throws -> (down: Tensor, up: Tensor) {
        guard case .lowRank(let down, let up) = delta, magnitude == nil else {
            throw LoRAError(
                path: source, reason: .unsupported("'\(key)' is not of low rank; merging it"))
        }
        let factor = scale * strength
        guard factor.isFinite else {
            throw LoRAError(
                path: source,
                reason: .badMetadata("'\(key)' would be multiplied by \(factor), no finite number"))
        }
        guard factor != 1 else { return (down, up) }
        return (down, try (up.to(dtype: .float32) * factor).to(dtype: up.dtype))
    }
}
