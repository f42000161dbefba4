internal import Torch

extension KeyMap {
    /// A text encoder whose layers are under `root`; the rest of the language model, and images'
    /// part of a multimodal one, is ignorable.
    ///
    /// - Parameter depth: the layers that are used.
    static func textEncoder(name: String, root: String, depth: Int) -> KeyMap {
        let layers = root + "layers."
        return KeyMap(
            name: name, transform: { .identity(root + $0) },
            isIgnorable: { key in
                isLayer(of: key, after: layers, from: depth)
                    || key == root + "norm.weight" || otherParts.contains { key.hasPrefix($0) }
            })
    }

    /// Whether a name is of a layer, counted behind a prefix, that is past those used.
    static func isLayer(of key: String, after prefix: String, from depth: Int) -> Bool {
        guard key.hasPrefix(prefix) else { return false }
        let index = key.dropFirst(prefix.count).prefix { $0 != "." }
        return Int(index).map { $0 >= depth } ?? false
    }

    private static let otherParts = [
        "lm_head.", "language_model.lm_head.", "vision_tower.", "multi_modal_projector.",
        "model.vision_tower.", "model.multi_modal_projector.",
    ]
}

extension TextEncoderConfiguration {
    /// Derives the architecture from a file's shapes and what is fixed for the family.
    ///
    /// - Returns: nil when tensors that tell it are missing.
    init?(_ family: Family, _ keyMap: KeyMap, _ shapes: TensorShapes) {
        func size(_ key: String, _ axis: Int) -> Int? {
            guard let shape = keyMap.shape(of: key, in: shapes), axis < shape.count else {
                return nil
            }
            return shape[axis]
        }
        guard let vocabulary = size("embed_tokens.weight", 0),
            let width = size("embed_tokens.weight", 1),
            let hidden = size("layers.0.mlp.gate_proj.weight", 0),
            let queries = size("layers.0.self_attn.q_proj.weight", 0),
            let keys = size("layers.0.self_attn.k_proj.weight", 0)
        else { return nil }
        // Only Qwen3 has a tensor that tells the size of a head; all published models use 128.
        let size = size("layers.0.self_attn.q_norm.weight", 0) ?? 128
        guard size > 0, keys > 0, queries % size == 0, keys % size == 0, queries % keys == 0 else {
            return nil
        }
        self.family = family
        taps = family.taps
        self.width = width
        feedForwardWidth = hidden
        layerCount = keyMap.count(in: shapes) { "layers.\($0).input_layernorm.weight" }
        headCount = queries / size
        keyValueHeadCount = keys / size
        headSize = size
        vocabularySize = vocabulary
        rotaryTheta = family == .qwen3 ? 1e6 : 1e9
        epsilon = family == .qwen3 ? 1e-6 : 1e-5
        guard (try? check()) != nil else { return nil }
    }
}
