internal import Torch

extension KeyMap {
    /// A text encoder as llama.cpp names it in GGUF files; what is past the last tap is ignorable.
    ///
    /// llama.cpp rotates the channels of Llama's and Mistral's heads in neighboring pairs, those of
    /// Qwen's half a head apart as everybody else does. Its conversion puts the rows of the former's
    /// queries and keys in that order, under the architectures `llama` and `mistral3` alike.
    static func llamaCpp(
        _ family: TextEncoderConfiguration.Family, headSize: Int
    ) -> KeyMap {
        let depth = family.taps.max() ?? 0
        return KeyMap(
            name: "llama.cpp",
            transform: { key in
                let name = LlamaCppNames.name(of: key)
                let interleaves = family == .mistral3 && LlamaCppNames.isRotated(name)
                return interleaves ? .unpermuteRotary(name, headSize: headSize) : .identity(name)
            },
            isIgnorable: { key in
                isLayer(of: key, after: "blk.", from: depth)
                    || key == "output_norm.weight" || key == "output.weight"
            })
    }
}

/// Canonical names of a text encoder's weights to llama.cpp's names.
private enum LlamaCppNames {
    static func name(of key: String) -> String {
        if let name = top[key] { return name }
        let parts = key.split(separator: ".", maxSplits: 2).map(String.init)
        guard parts.count == 3, parts[0] == "layers", let part = layer[parts[2]] else { return key }
        return "blk.\(parts[1]).\(part)"
    }

    static func isRotated(_ name: String) -> Bool {
        name.hasSuffix(".attn_q.weight") || name.hasSuffix(".attn_k.weight")
    }

    private static let top = [
        "embed_tokens.weight": "token_embd.weight", "norm.weight": "output_norm.weight",
    ]

    private static let layer = [
        "input_layernorm.weight": "attn_norm.weight",
        "self_attn.q_proj.weight": "attn_q.weight",
        "self_attn.k_proj.weight": "attn_k.weight",
        "self_attn.v_proj.weight": "attn_v.weight",
        "self_attn.o_proj.weight": "attn_output.weight",
        "self_attn.q_norm.weight": "attn_q_norm.weight",
        "self_attn.k_norm.weight": "attn_k_norm.weight",
        "post_attention_layernorm.weight": "ffn_norm.weight",
        "mlp.gate_proj.weight": "ffn_gate.weight",
        "mlp.up_proj.weight": "ffn_up.weight",
        "mlp.down_proj.weight": "ffn_down.weight",
    ]
}
