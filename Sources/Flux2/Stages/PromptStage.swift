internal import FluxModels
internal import Offloading
internal import Tokenization
internal import Torch

/// Turns prompts into what the transformer reads; known ones without the encoder.
struct PromptStage {
    private let pipeline: Pipeline
    private let tokenizer: PromptTokenizer
    /// Tokens that a prompt is cut or padded to.
    private let length: Int
    private let loras: [LoRAUse]
    private let onEvent: (GenerationEvent) -> Void

    init(
        _ pipeline: Pipeline, _ parity: Parity, length: Int, loras: [LoRAUse] = [],
        onEvent: @escaping (GenerationEvent) -> Void
    ) throws {
        self.pipeline = pipeline
        self.length = length
        self.loras = loras
        self.onEvent = onEvent
        tokenizer = try pipeline.promptTokenizer(parity)
    }

    /// A prompt, and what its features follow from.
    private struct Text {
        var tokens: TokenizedPrompt
        var loras: [LoRAUse]

        var key: PromptEmbeddingCache.Key {
            .init(ids: tokens.ids, mask: tokens.mask, loras: loras)
        }
    }

    /// - Parameter prompts: that of the conditional pass, then that of the unconditional one.
    /// - Shapes: → [1, length, J] each.
    /// - Throws: `CancellationError` between layers.
    func callAsFunction(_ prompts: [String]) throws -> [Tensor] {
        let branches: [GuidanceBranch] = [.conditional, .unconditional]
        let texts = zip(prompts, branches).map { prompt, branch in
            Text(
                tokens: tokenizer(prompt, length: length),
                loras: pipeline.loras.uses(loras, changing: .textEncoder, for: branch))
        }
        tellUnknownWords(prompts)
        let known = try texts.map { try recalled($0) }
        pipeline.readAhead(encoder: known.contains { $0 == nil })
        for (text, found) in zip(texts.map(\.tokens), known) {
            onEvent(
                .readPrompt(
                    tokens: text.tokenCount, limit: length, wasTruncated: text.wasTruncated,
                    isRemembered: found != nil))
            guard text.wasTruncated else { continue }
            onEvent(
                .warned(
                    "the prompt is longer than \(length) tokens; its end was dropped "
                        + "(\(text.tokenCount) tokens)"))
        }
        let unknown = known.count { $0 == nil }
        if unknown > 0 { try loadEncoder(passes: unknown) }
        defer { if unknown > 0 { pipeline.end(pipeline.textEncoder) } }
        return try zip(texts, known).map { try $1 ?? encoded($0) }
    }

    private func tellUnknownWords(_ prompts: [String]) {
        let words = prompts.flatMap(pipeline.unknownWords)
        guard !words.isEmpty else { return }
        let listed = words.prefix(5).map { "'\($0)'" }.joined(separator: ", ")
        let rest = words.count > 5 ? " and \(words.count - 5) others" : ""
        onEvent(
            .warned(
                "the prompt has words that the model \(BundledModel.name) does not know: "
                    + listed + rest))
    }

    private func recalled(_ text: Text) throws -> Tensor? {
        let key = text.key
        if let found = pipeline.prompts.features(key) { return found }
        // Files of a LoRA change under their names, so its features are not kept on disk.
        guard let cache = pipeline.promptCache, text.loras.isEmpty else { return nil }
        let shape = [1, length, pipeline.textEncoder.model.configuration.featureWidth]
        let found: Tensor?
        do {
            found = try cache.features(
                pipeline.promptCacheKey().key(key), shape: shape, dtype: pipeline.dtype)
        } catch let damage as PromptCache.Damage {
            onEvent(.warned("\(damage.path): is damaged; the prompt is encoded anew"))
            return nil
        }
        guard let features = try found?.to(device: pipeline.device) else { return nil }
        pipeline.prompts.keep(features, as: key)
        return features
    }

    private func loadEncoder(passes: Int) throws {
        let part = pipeline.textEncoder
        let isLoaded = part.isLoaded
        _ = try part.load(passes: passes)
        if !isLoaded {
            onEvent(.loaded(component: "text encoder", bytes: part.weights.byteCount))
        }
    }

    private func encoded(_ text: Text) throws -> Tensor {
        let key = text.key
        // Both passes of guidance may have the same text.
        if let found = pipeline.prompts.features(key) { return found }
        let part = pipeline.textEncoder
        let encoder = part.model
        var layers = 0
        let depth = encoder.configuration.depth
        pipeline.loras.put(text.loras, on: .textEncoder)
        defer { pipeline.loras.put([], on: .textEncoder) }
        let features = try encoder(
            ids: text.tokens.ids, real: text.tokens.mask, dtype: pipeline.dtype,
            device: pipeline.device
        ) { _, _ in
            try Task.checkCancellation()
            layers += 1
            onEvent(.working(stage: .encode, done: layers, of: depth))
        }
        try part.requireFinite(features, "text features")
        pipeline.prompts.keep(features, as: key)
        if text.loras.isEmpty { keepOnDisk(features, key) }
        return features
    }

    /// The image does not need it, so it does not fail with it.
    private func keepOnDisk(_ features: Tensor, _ key: PromptEmbeddingCache.Key) {
        guard let cache = pipeline.promptCache else { return }
        do {
            try cache.keep(features, as: pipeline.promptCacheKey().key(key))
        } catch {
            onEvent(.warned("the prompt is not kept for the next time: \(error)"))
        }
    }
}
