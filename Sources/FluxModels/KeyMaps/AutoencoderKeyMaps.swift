internal import Torch

extension KeyMap {
    private static let counter = "bn.num_batches_tracked"

    /// The autoencoder as diffusers names it: the canonical names.
    static let diffusersAutoencoder = KeyMap(
        name: "diffusers", transform: { .identity($0) }, isIgnorable: { $0 == counter })

    /// The autoencoder as Black Forest Labs name it in single files.
    ///
    /// - Parameter levels: resolutions of the decoder, which they count from the other end.
    static func bflAutoencoder(levels: Int) -> KeyMap {
        KeyMap(
            name: "BFL", transform: { .identity(bflName($0, levels: levels)) },
            isIgnorable: { $0 == counter })
    }

    private static func bflName(_ key: String, levels: Int) -> String {
        var parts = key.split(separator: ".").map(String.init)
        switch parts[0] {
        case "quant_conv": return "encoder." + key
        case "post_quant_conv": return "decoder." + key
        case "encoder", "decoder": break
        default: return key
        }
        if parts[1] == "mid_block" {
            parts.replaceSubrange(1..<4, with: middle(parts[2], parts[3]))
        } else if parts[1] == "down_blocks" || parts[1] == "up_blocks" {
            parts.replaceSubrange(1..<4, with: level(parts[1], parts[2], parts[3], of: levels))
            // A downsampler is one convolution; its index is not written.
            if parts[3] == "sample" { parts.replaceSubrange(3...4, with: [sampler(parts[1])]) }
        }
        return parts.map { renamed[$0] ?? $0 }.joined(separator: ".")
            .replacing("mid.attn_1.to_out.0", with: "mid.attn_1.proj_out")
            .replacing("mid.attn_1.to_", with: "mid.attn_1.")
    }

    private static let renamed = [
        "conv_shortcut": "nin_shortcut", "conv_norm_out": "norm_out", "group_norm": "norm",
    ]

    /// `mid_block.resnets.0` is `mid.block_1`, `mid_block.attentions.0` is `mid.attn_1`.
    private static func middle(_ kind: String, _ index: String) -> [String] {
        let place = (Int(index) ?? 0) + 1
        return ["mid", kind == "resnets" ? "block_\(place)" : "attn_\(place)"]
    }

    private static func level(
        _ direction: String, _ index: String, _ part: String, of levels: Int
    ) -> [String] {
        let number = Int(index) ?? 0
        let down = direction == "down_blocks"
        return [
            down ? "down" : "up", String(down ? number : levels - 1 - number),
            part == "resnets" ? "block" : "sample",
        ]
    }

    private static func sampler(_ direction: String) -> String {
        direction == "down" ? "downsample" : "upsample"
    }
}

extension AutoencoderConfiguration {
    /// Derives the architecture from a file's shapes, with the 32 norm groups of all published
    /// models.
    ///
    /// - Returns: nil when tensors that tell it are missing.
    init?(_ keyMap: KeyMap, _ shapes: TensorShapes) {
        func rows(_ key: String) -> Int? { keyMap.shape(of: key, in: shapes)?.first }
        let levels = keyMap.count(in: shapes) {
            "encoder.down_blocks.\($0).resnets.0.conv1.weight"
        }
        let encoder = (0..<levels).compactMap {
            rows("encoder.down_blocks.\($0).resnets.0.conv1.weight")
        }
        let decoder = (0..<levels).compactMap {
            rows("decoder.up_blocks.\($0).resnets.0.conv1.weight")
        }
        guard levels > 0, decoder.count == levels, let latent = rows("post_quant_conv.weight"),
            (encoder + decoder).allSatisfy({ $0 % 32 == 0 })
        else { return nil }
        encoderWidths = encoder
        decoderWidths = decoder.reversed()
        latentChannels = latent
        resnetsPerLevel = keyMap.count(in: shapes) {
            "encoder.down_blocks.0.resnets.\($0).conv1.weight"
        }
        guard (try? check()) != nil else { return nil }
    }
}
