internal import Torch

extension KeyMap {
    /// The transformer as diffusers and DiffSynth-Studio name it: the canonical names.
    static let diffusersTransformer = KeyMap(name: "diffusers", transform: { .identity($0) })

    /// The transformer as Black Forest Labs name it in single files.
    public static let bflTransformer = KeyMap(name: "BFL", transform: BFLTransformerNames.transform)
}

/// Canonical names of the transformer's weights to Black Forest Labs' names.
private enum BFLTransformerNames {
    @Sendable static func transform(_ key: String) -> WeightTransform {
        if let transform = top[key] { return transform }
        let parts = key.split(separator: ".", maxSplits: 2).map(String.init)
        guard parts.count == 3 else { return .identity(key) }
        switch parts[0] {
        case "transformer_blocks":
            return double[parts[2]]?.renamed { "double_blocks.\(parts[1]).\($0)" } ?? .identity(key)
        case "single_transformer_blocks":
            return single[parts[2]]?.renamed { "single_blocks.\(parts[1]).\($0)" } ?? .identity(key)
        default: return .identity(key)
        }
    }

    private static let top: [String: WeightTransform] = [
        "x_embedder.weight": .identity("img_in.weight"),
        "context_embedder.weight": .identity("txt_in.weight"),
        "time_guidance_embed.timestep_embedder.linear_1.weight": .identity(
            "time_in.in_layer.weight"),
        "time_guidance_embed.timestep_embedder.linear_2.weight": .identity(
            "time_in.out_layer.weight"),
        "time_guidance_embed.guidance_embedder.linear_1.weight":
            .identity("guidance_in.in_layer.weight"),
        "time_guidance_embed.guidance_embedder.linear_2.weight":
            .identity("guidance_in.out_layer.weight"),
        "double_stream_modulation_img.linear.weight":
            .identity("double_stream_modulation_img.lin.weight"),
        "double_stream_modulation_txt.linear.weight":
            .identity("double_stream_modulation_txt.lin.weight"),
        "single_stream_modulation.linear.weight": .identity("single_stream_modulation.lin.weight"),
        // Theirs gives shift before scale.
        "norm_out.linear.weight": .swapHalves("final_layer.adaLN_modulation.1.weight"),
        "proj_out.weight": .identity("final_layer.linear.weight"),
    ]

    private static let double: [String: WeightTransform] = [
        "attn.to_q.weight": .slice("img_attn.qkv.weight", part: 0, of: 3),
        "attn.to_k.weight": .slice("img_attn.qkv.weight", part: 1, of: 3),
        "attn.to_v.weight": .slice("img_attn.qkv.weight", part: 2, of: 3),
        "attn.to_out.0.weight": .identity("img_attn.proj.weight"),
        "attn.norm_q.weight": .identity("img_attn.norm.query_norm.scale"),
        "attn.norm_k.weight": .identity("img_attn.norm.key_norm.scale"),
        "attn.add_q_proj.weight": .slice("txt_attn.qkv.weight", part: 0, of: 3),
        "attn.add_k_proj.weight": .slice("txt_attn.qkv.weight", part: 1, of: 3),
        "attn.add_v_proj.weight": .slice("txt_attn.qkv.weight", part: 2, of: 3),
        "attn.to_add_out.weight": .identity("txt_attn.proj.weight"),
        "attn.norm_added_q.weight": .identity("txt_attn.norm.query_norm.scale"),
        "attn.norm_added_k.weight": .identity("txt_attn.norm.key_norm.scale"),
        "ff.linear_in.weight": .identity("img_mlp.0.weight"),
        "ff.linear_out.weight": .identity("img_mlp.2.weight"),
        "ff_context.linear_in.weight": .identity("txt_mlp.0.weight"),
        "ff_context.linear_out.weight": .identity("txt_mlp.2.weight"),
    ]

    private static let single: [String: WeightTransform] = [
        "attn.to_qkv_mlp_proj.weight": .identity("linear1.weight"),
        "attn.to_out.weight": .identity("linear2.weight"),
        "attn.norm_q.weight": .identity("norm.query_norm.scale"),
        "attn.norm_k.weight": .identity("norm.key_norm.scale"),
    ]
}

extension TransformerConfiguration {
    /// Derives the architecture from a file's shapes.
    ///
    /// - Returns: nil when tensors that tell it are missing.
    init?(_ keyMap: KeyMap, _ shapes: TensorShapes) {
        func size(_ key: String, _ axis: Int) -> Int? {
            guard let shape = keyMap.shape(of: key, in: shapes), axis < shape.count else {
                return nil
            }
            return shape[axis]
        }
        let single = "single_transformer_blocks"
        guard let width = size("x_embedder.weight", 0),
            let latentChannels = size("x_embedder.weight", 1),
            let textWidth = size("context_embedder.weight", 1),
            let headSize = size("\(single).0.attn.norm_q.weight", 0),
            let mixed = size("\(single).0.attn.to_out.weight", 1),
            let timestepChannels = size(
                "time_guidance_embed.timestep_embedder.linear_1.weight", 1),
            headSize > 0, headSize % 8 == 0, width > 0, width % headSize == 0, mixed > width
        else { return nil }
        doubleBlockCount = keyMap.count(in: shapes) {
            "transformer_blocks.\($0).attn.norm_q.weight"
        }
        singleBlockCount = keyMap.count(in: shapes) { "\(single).\($0).attn.norm_q.weight" }
        headCount = width / headSize
        self.headSize = headSize
        self.latentChannels = latentChannels
        self.textWidth = textWidth
        feedForwardRatio = Double(mixed - width) / Double(width)
        embedsGuidance =
            keyMap.shape(
                of: "time_guidance_embed.guidance_embedder.linear_1.weight", in: shapes) != nil
        rotaryAxes = Array(repeating: headSize / 4, count: 4)
        self.timestepChannels = timestepChannels
        guard (try? check()) != nil else { return nil }
    }
}
