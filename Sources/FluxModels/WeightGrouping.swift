public import Torch

/// Which weights a model uses one right after the other, so that they can be loaded together.
///
/// Groups follow each other in the order in which models declare their weights, and none is used
/// again before all others were, or an evaluation was over early.
public enum WeightGrouping {
    /// The group of a transformer's weight; nil for small ones, which are used all the time.
    ///
    /// Of a block in two streams: attention, and a feed-forward for each stream; of the others: the
    /// way in and the way out. 4 to 9 times width · width each.
    public static func ofTransformer(_ parameter: Parameter) -> String? {
        let parts = parameter.key.split(separator: ".")
        guard parameter.shape.count == 2, parts.count > 3 else { return nil }
        switch parts[0] {
        case "transformer_blocks": return parts.prefix(3).joined(separator: ".")
        case "single_transformer_blocks": return parts.prefix(4).joined(separator: ".")
        default: return nil
        }
    }

    /// The groups that a transformer uses before it may skip all others (``BlockResidual``).
    public static let beforeSkipping: Set = [
        "transformer_blocks.0.attn", "transformer_blocks.0.ff",
    ]

    /// The group of a text encoder's weight: attention, the feed-forward's way in and its way out.
    public static func ofTextEncoder(_ parameter: Parameter) -> String? {
        let parts = parameter.key.split(separator: ".")
        guard parameter.shape.count == 2, parts.count > 3, parts[0] == "layers" else { return nil }
        let layer = parts.prefix(3).joined(separator: ".")
        guard parts[2] == "mlp" else { return layer }
        return layer + (parts[3] == "down_proj" ? ".out" : ".in")
    }
}
