internal import FluxModels

/// The name of a tensor in a LoRA file, taken apart.
struct LoRAKey: Hashable {
    /// What the tensor is to its module.
    enum Part: String, CaseIterable {
        case down, up, bias, alpha, rowMagnitude, magnitude, diff
        case lokrW1 = "lokr_w1", lokrW1A = "lokr_w1_a", lokrW1B = "lokr_w1_b"
        case lokrW2 = "lokr_w2", lokrW2A = "lokr_w2_a", lokrW2B = "lokr_w2_b"
        case hadaW1A = "hada_w1_a", hadaW1B = "hada_w1_b"
        case hadaW2A = "hada_w2_a", hadaW2B = "hada_w2_b"
    }

    /// A known prefix, dots included, or nothing.
    var prefix: String
    /// The module's name behind the prefix, in whatever naming the file has.
    var module: String
    var part: Part
    /// The adapter's name, where the file has one.
    var adapter: String?

    /// - Returns: nil for a name that is none of a LoRA's.
    init?(_ name: String) {
        let words = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard let place = words.indices.dropFirst().first(where: { Self.isPart(words, $0) }),
            let part = Self.part(words, place)
        else { return nil }
        self.part = words.last == "bias" ? .bias : part
        let rest = words[(place + (words[place] == "lora" ? 2 : 1))...]
            .filter { $0 != "weight" && $0 != "bias" }
        guard rest.count <= 1 else { return nil }
        adapter = rest.first
        (prefix, module) = Self.stripped(words[..<place].joined(separator: "."))
    }

    private static let parts: [String: Part] = [
        "lora_A": .down, "lora_down": .down, "lora_B": .up, "lora_up": .up, "alpha": .alpha,
        "lora_magnitude_vector": .rowMagnitude, "dora_scale": .magnitude, "diff": .diff,
    ]

    private static func isPart(_ words: [String], _ place: Int) -> Bool {
        part(words, place) != nil
    }

    private static func part(_ words: [String], _ place: Int) -> Part? {
        let word = words[place]
        if let part = parts[word] { return part }
        if word == "lora", place + 1 < words.count {
            return words[place + 1] == "down" ? .down : words[place + 1] == "up" ? .up : nil
        }
        return word.hasPrefix("lokr_") || word.hasPrefix("hada_") ? Part(rawValue: word) : nil
    }

    /// The longest first; several may stand behind each other.
    private static let prefixes = [
        "pipe.text_encoder.model.language_model.", "pipe.text_encoder_qwen3.model.",
        "text_encoder.model.language_model.", "text_encoder_qwen3.model.",
        "base_model.model.model.", "base_model.model.",
        "model.diffusion_model.", "text_encoder.model.", "diffusion_model.", "text_encoder.",
        "transformer.", "pipe.dit.", "pipe.vae.", "lora_unet_", "lora_transformer_", "lycoris_",
        "vae.",
    ]

    private static func stripped(_ name: String) -> (prefix: String, module: String) {
        var (prefix, rest) = ("", Substring(name))
        while let found = prefixes.first(where: rest.hasPrefix) {
            prefix += found
            rest = rest.dropFirst(found.count)
        }
        // A truncated name that some files carry.
        let legacy = rest.hasPrefix("sformer_blocks.")
        return (prefix, legacy ? "tran" + rest : String(rest))
    }

    /// The component that the name says the module is one of; nil where the module's own has to tell.
    var component: Component? {
        let isOfTextEncoder =
            prefix.contains("text_encoder")
            || ["text_encoder", "lora_te", "te_", "text_model"].contains { module.hasPrefix($0) }
        if isOfTextEncoder { return .textEncoder }
        return prefix.contains("vae.") ? .autoencoder : nil
    }
}
