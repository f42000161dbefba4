internal import Torch

extension Layout {
    /// The transformer as diffusers and DiffSynth-Studio name it: the canonical names.
    static let diffusersTransformer = Layout(name: "diffusers", recipe: { .tensor($0) })

    /// The transformer as Black Forest Labs name it in single files.
    public static let bflTransformer = Layout(name: "BFL", recipe: BFLTransformerNames.recipe)
}

/// Canonical names of the transformer's weights to Black Forest Labs' names.
private enum BFLTransformerNames {
    @Sendable static func recipe(_ key: String) -> WeightRecipe {
        if let recipe = top[key] { return recipe }
        let parts = key.split(separator: ".", maxSplits: 2).map(String.init)
        guard parts.count == 3 else { return .tensor(key) }
        switch parts[0] {
        case "transformer_blocks":
            return double[parts[2]]?.renamed { "double_blocks.\(parts[1]).\($0)" } ?? .tensor(key)
        case "single_transformer_blocks":
            return single[parts[2]]?.renamed { "single_blocks.\(parts[1]).\($0)" } ?? .tensor(key)
        default: return .tensor(key)
        }
    }

    private static let top: [String: WeightRecipe] = [
        "x_embedder.weight": .tensor("img_in.weight"),
        "context_embedder.weight": .tensor("txt_in.weight"),
        "time_guidance_embed.timestep_embedder.linear_1.weight": .tensor("time_in.in_layer.weight"),
        "time_guidance_embed.timestep_embedder.linear_2.weight": .tensor(
            "time_in.out_layer.weight"),
        "time_guidance_embed.guidance_embedder.linear_1.weight":
            .tensor("guidance_in.in_layer.weight"),
        "time_guidance_embed.guidance_embedder.linear_2.weight":
            .tensor("guidance_in.out_layer.weight"),
        "double_stream_modulation_img.linear.weight":
            .tensor("double_stream_modulation_img.lin.weight"),
        "double_stream_modulation_txt.linear.weight":
            .tensor("double_stream_modulation_txt.lin.weight"),
        "single_stream_modulation.linear.weight": .tensor("single_stream_modulation.lin.weight"),
        // Theirs gives shift before scale.
        "norm_out.linear.weight": .swappedHalves("final_layer.adaLN_modulation.1.weight"),
        "proj_out.weight": .tensor("final_layer.linear.weight"),
    ]

    private static let double: [String: WeightRecipe] = [
        "attn.to_q.weight": .rows("img_attn.qkv.weight", part: 0, of: 3),
        "attn.to_k.weight": .rows("img_attn.qkv.weight", part: 1, of: 3),
        "attn.to_v.weight": .rows("img_attn.qkv.weight", part: 2, of: 3),
        "attn.to_out.0.weight": .tensor("img_attn.proj.weight"),
        "attn.norm_q.weight": .tensor("img_attn.norm.query_norm.scale"),
        "attn.norm_k.weight": .tensor("img_attn.norm.key_norm.scale"),
        "attn.add_q_proj.weight": .rows("txt_attn.qkv.weight", part: 0, of: 3),
        "attn.add_k_proj.weight": .rows("txt_attn.qkv.weight", part: 1, of: 3),
        "attn.add_v_proj.weight": .rows("txt_attn.qkv.weight", part: 2, of: 3),
        "attn.to_add_out.weight": .tensor("txt_attn.proj.weight"),
        "attn.norm_added_q.weight": .tensor("txt_attn.norm.query_norm.scale"),
        "attn.norm_added_k.weight": .tensor("txt_attn.norm.key_norm.scale"),
        "ff.linear_in.weight": .tensor("img_mlp.0.weight"),
        "ff.linear_out.weight": .tensor("img_mlp.2.weight"),
        "ff_context.linear_in.weight": .tensor("txt_mlp.0.weight"),
        "ff_context.linear_out.weight": .tensor("txt_mlp.2.weight"),
    ]

    private static let single: [String: WeightRecipe] = [
        "attn.to_qkv_mlp_proj.weight": .tensor("linear1.weight"),
        "attn.to_out.weight": .tensor("linear2.weight"),
        "attn.norm_q.weight": .tensor("norm.query_norm.scale"),
        "attn.norm_k.weight": .tensor("norm.key_norm.scale"),
    ]
}

extension TransformerConfiguration {
    /// Derives the architecture from a file's shapes.
    ///
    /// - Returns: nil when tensors that tell it are missing.
    init?(_ layout: Layout, _ shapes: TensorShapes) {
        func size(_ key: String, _ axis: Int) -> Int? {
            guard let shape = layout.shape(of: key, in: shapes), axis < shape.count else {
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
        doubleBlockCount = layout.count(in: shapes) {
            "transformer_blocks.\($0).attn.norm_q.weight"
        }
        singleBlockCount = layout.count(in: shapes) { "\(single).\($0).attn.norm_q.weight" }
        headCount = width / headSize
        self.headSize = headSize
        self.latentChannels = latentChannels
        self.textWidth = textWidth
        feedForwardRatio = Double(mixed - width) / Double(width)
        embedsGuidance =
            layout.shape(
                of: "time_guidance_embed.guidance_embedder.linear_1.weight", in: shapes) != nil
        rotaryAxes = Array(repeating: headSize / 4, count: 4)
        self.timestepChannels = timestepChannels
        guard (try? check()) != nil else { return nil }
    }
}
