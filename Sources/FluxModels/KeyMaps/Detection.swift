internal import Torch

/// The parts that a FLUX.2 model is made of.
public enum Component: String, Hashable, Sendable, CaseIterable {
    /// The flow transformer between noise and latents.
    case transformer
    /// The language model that reads prompts.
    case textEncoder = "text_encoder"
    /// The model between images and latents.
    case autoencoder = "vae"
}

/// What a checkpoint holds, told from the names and shapes of its tensors.
public struct Detection: Sendable {
    /// The component, with the architecture that the shapes tell; nil when they do not suffice.
    public enum Content: Hashable, Sendable {
        /// A flow transformer.
        case transformer(TransformerConfiguration?)
        /// A model between images and latents.
        case autoencoder(AutoencoderConfiguration?)
        /// A language model of a family that FLUX.2 reads prompts with.
        case textEncoder(TextEncoderConfiguration.Family, TextEncoderConfiguration?)
        /// Changes of weights: LoRA, LoKr or LoHa, for whatever model.
        case lora
    }

    /// What the tensors make up.
    public let content: Content
    /// How they are named, prefix included.
    public let keyMap: KeyMap

    /// Looks at names and shapes.
    ///
    /// - Parameter metadata: what a GGUF file says about a language model; without it, what shapes
    ///   do not tell is taken to be as in the published models.
    /// - Returns: nil when it is nothing that FLUX.2 uses.
    public init?(_ shapes: TensorShapes, metadata: LanguageModelMetadata? = nil) {
        if shapes.keys.contains(where: Self.isAdapter) {
            (content, keyMap) = (.lora, KeyMap(name: "LoRA", transform: { .identity($0) }))
            return
        }
        for prefix in ["", "model.diffusion_model.", "diffusion_model."] {
            if let found = Self.transformer(shapes, prefix) ?? Self.autoencoder(shapes, prefix) {
                self = found
                return
            }
        }
        guard let found = Self.textEncoder(shapes) ?? Self.llamaCpp(shapes, metadata) else {
            return nil
        }
        self = found
    }

    private init(_ content: Content, _ keyMap: KeyMap) {
        self.content = content
        self.keyMap = keyMap
    }

    /// The part of a model that this is; nil for a LoRA.
    public var component: Component? {
        switch content {
        case .transformer: .transformer
        case .autoencoder: .autoencoder
        case .textEncoder: .textEncoder
        case .lora: nil
        }
    }

    private static func isAdapter(_ name: String) -> Bool {
        name.contains(".lora_") || name.hasSuffix(".alpha") || name.contains(".lokr_")
            || name.contains(".hada_")
    }

    private static func transformer(_ shapes: TensorShapes, _ prefix: String) -> Detection? {
        let marks: [(KeyMap, [String])] = [
            (
                .diffusersTransformer,
                [
                    "single_transformer_blocks.0.attn.to_qkv_mlp_proj.weight",
                    "double_stream_modulation_img.linear.weight",
                ]
            ),
            (
                .bflTransformer,
                ["single_stream_modulation.lin.weight", "double_blocks.0.img_attn.qkv.weight"]
            ),
        ]
        for (keyMap, names) in marks where names.allSatisfy({ shapes[prefix + $0] != nil }) {
            let keyMap = keyMap.prefixed(prefix)
            return Detection(.transformer(TransformerConfiguration(keyMap, shapes)), keyMap)
        }
        return nil
    }

    private static func autoencoder(_ shapes: TensorShapes, _ prefix: String) -> Detection? {
        guard shapes[prefix + "bn.running_mean"] != nil else { return nil }
        let keyMap: KeyMap
        if shapes[prefix + "decoder.mid_block.attentions.0.to_q.weight"] != nil {
            keyMap = .diffusersAutoencoder
        } else if shapes[prefix + "decoder.mid.attn_1.q.weight"] != nil {
            let levels = (0..<16).prefix {
                shapes[prefix + "decoder.up.\($0).block.0.conv1.weight"] != nil
            }
            keyMap = .bflAutoencoder(levels: levels.count)
        } else {
            return nil
        }
        let named = keyMap.prefixed(prefix)
        return Detection(.autoencoder(AutoencoderConfiguration(named, shapes)), named)
    }

    private static func llamaCpp(
        _ shapes: TensorShapes, _ metadata: LanguageModelMetadata?
    ) -> Detection? {
        guard shapes["token_embd.weight"] != nil, shapes["blk.0.attn_q.weight"] != nil else {
            return nil
        }
        let normalizes = shapes["blk.0.attn_q_norm.weight"] != nil
        let family = metadata.map(\.family) ?? (normalizes ? .qwen3 : .mistral3)
        guard let family, family.normalizesHeads == normalizes else { return nil }
        let keyMap = KeyMap.llamaCpp(family, headSize: metadata?.headSize ?? 128)
        let configuration =
            metadata.map { TextEncoderConfiguration($0, shapes) }
            ?? TextEncoderConfiguration(family, keyMap, shapes)
        return Detection(.textEncoder(family, configuration), keyMap)
    }

    private static func textEncoder(_ shapes: TensorShapes) -> Detection? {
        let roots = [
            ("language_model.model.", "hub"), ("model.language_model.", "DiffSynth"),
            ("model.", "transformers"),
        ]
        for (root, name) in roots
        where shapes[root + "layers.0.self_attn.q_proj.weight"] != nil {
            let family: TextEncoderConfiguration.Family =
                shapes[root + "layers.0.self_attn.q_norm.weight"] != nil ? .qwen3 : .mistral3
            let depth = family.taps.max() ?? 0
            let keyMap = KeyMap.textEncoder(name: name, root: root, depth: depth)
            return Detection(
                .textEncoder(family, TextEncoderConfiguration(family, keyMap, shapes)), keyMap)
        }
        return nil
    }
}
