package import FluxModels
package import Torch

/// The conditioning of one pass of classifier-free guidance: what the transformer reads besides latents.
package struct ConditioningBranch {
    /// Text features, [1, T, J].
    var text: Tensor
    /// Rotations of text, image and references.
    var rotary: RotaryTable
    /// Keys and values that blocks look at besides their own.
    var caches: [String: KeyValue]

    package init(text: Tensor, rotary: RotaryTable, caches: [String: KeyValue] = [:]) {
        self.text = text
        self.rotary = rotary
        self.caches = caches
    }
}

/// What the transformer is told besides the latents and their noise level.
package struct Conditioning {
    var conditional: ConditioningBranch
    /// Present when classifier-free guidance is on.
    var unconditional: ConditioningBranch?
    /// Clean tokens of reference images, [1, T, C].
    var references: Tensor?
    var cfgScale: Double
    var embeddedGuidance: Double

    package init(
        conditional: ConditioningBranch, unconditional: ConditioningBranch? = nil,
        references: Tensor? = nil, cfgScale: Double,
        embeddedGuidance: Double
    ) {
        self.conditional = conditional
        self.unconditional = unconditional
        self.references = references
        self.cfgScale = cfgScale
        self.embeddedGuidance = embeddedGuidance
    }
}

/// Text features of the prompts, [1, T, J] each.
struct PromptFeatures {
    var conditional: Tensor
    var unconditional: Tensor?
}

extension GenerationRequest.Extras {
    /// Appends the extra embedding to a prompt's features.
    func extending(_ text: Tensor) throws -> Tensor {
        guard let textEmbedding else { return text }
        let extra = try textEmbedding.tensor(for: "extra-text-embedding")
        guard extra.rank == 3, extra.size(0) == 1, extra.size(2) == text.size(2) else {
            throw RequestError(
                setting: "extra-text-embedding", expected: "[1, T, \(text.size(2))]",
                found: "\(extra.shape)")
        }
        return try .concatenating(
            [text, extra.to(dtype: text.dtype, device: text.device)], along: 1)
    }

    /// The caches as tensors of the type and on the device of `sample`.
    func keyValues(
        _ shape: TransformerConfiguration, like sample: Tensor
    ) throws -> [String: KeyValue] {
        try caches.reduce(into: [:]) { all, cache in
            let known =
                (0..<shape.doubleBlockCount).contains { cache.key == "double_\($0)" }
                || (0..<shape.singleBlockCount).contains { cache.key == "single_\($0)" }
            let tensors = try [cache.value.keys, cache.value.values].map {
                try $0.tensor(for: "kv-cache").to(dtype: sample.dtype, device: sample.device)
            }
            let fits = tensors.allSatisfy {
                $0.rank == 4 && $0.shape == tensors[0].shape && $0.size(0) == 1
                    && $0.size(2) == shape.headCount && $0.size(3) == shape.headSize
            }
            guard known, fits else {
                throw RequestError(
                    setting: "kv-cache",
                    expected: "[1, T, \(shape.headCount), \(shape.headSize)] for blocks "
                        + "double_0… and single_0…",
                    found: "\(cache.key) of \(tensors[0].shape)")
            }
            all[cache.key] = KeyValue(keys: tensors[0], values: tensors[1])
        }
    }
}
