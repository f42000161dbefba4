public import Torch

/// What the transformer looks at in one evaluation.
public struct TransformerInput {
    /// Noisy latents as tokens, [B, Ti, C].
    public var latents: Tensor
    /// Clean tokens of reference images, [B, Tr, C].
    public var references: Tensor?
    /// Text features, padding included, [B, Tt, J].
    public var text: Tensor
    /// The noise level in the type that the model computes in, [B].
    public var sigma: Tensor
    /// The embedded guidance; models without it ignore the value.
    public var guidance: Double
    /// The rotations of text, latents and references, in this order.
    public var rotary: RotaryTable
    /// Additional keys and values per block, named `double_0`…, `single_0`….
    public var caches: [String: KeyValue]
    /// Where blocks keep their inputs when they are recomputed by gradient checkpointing; nil keeps all that
    /// gradients need.
    public var checkpointing: ActivationCheckpointing?
    /// What was computed before of what other evaluations need, too; nil computes it here.
    public var shared: SharedInput?
    /// The text as ``FluxTransformer/embed(text:)`` gives it, which the noise level does not change;
    /// nil computes it here.
    public var embeddedText: Tensor?
    /// Lets the evaluation do without all blocks but the first; not together with gradients.
    public var memory: BlockResidual?

    /// Gathers the inputs; guidance is 4 unless another is given, as in DiffSynth-Studio.
    public init(
        latents: Tensor, references: Tensor? = nil, text: Tensor, sigma: Tensor,
        guidance: Double = 4, rotary: RotaryTable, caches: [String: KeyValue] = [:]
    ) {
        self.latents = latents
        self.references = references
        self.text = text
        self.sigma = sigma
        self.guidance = guidance
        self.rotary = rotary
        self.caches = caches
    }
}

/// The flow transformer: from noisy latents and text to the velocity "noise minus image".
///
/// - Source: `Flux2Transformer2DModel`, diffusers; `flux2_dit.py`, DiffSynth-Studio.
public struct FluxTransformer {
    /// The architecture that the parameters were declared by.
    public let configuration: TransformerConfiguration
    private let latentEmbedder: Linear
    private let textEmbedder: Linear
    private let timestepEmbedding: TimestepEmbedding
    private let imageModulation: ModulationSource
    private let textModulation: ModulationSource
    private let singleModulation: ModulationSource
    let doubleBlocks: [DoubleStreamBlock]
    let singleBlocks: [SingleStreamBlock]
    private let outputModulation: Linear
    private let output: Linear

    /// Declares the model under `scope`; weights are loaded into its parameters afterwards.
    public init(_ scope: Scope, _ configuration: TransformerConfiguration) {
        self.configuration = configuration
        let width = configuration.width
        latentEmbedder = Linear(
            scope["x_embedder"], from: configuration.latentChannels, to: width)
        textEmbedder = Linear(scope["context_embedder"], from: configuration.textWidth, to: width)
        timestepEmbedding = TimestepEmbedding(scope["time_guidance_embed"], configuration)
        imageModulation = ModulationSource(
            scope, name: "double_stream_modulation_img", width: width, sets: 2)
        textModulation = ModulationSource(
            scope, name: "double_stream_modulation_txt", width: width, sets: 2)
        singleModulation = ModulationSource(
            scope, name: "single_stream_modulation", width: width, sets: 1)
        doubleBlocks = (0..<configuration.doubleBlockCount).map {
            DoubleStreamBlock(scope["transformer_blocks"][$0], configuration)
        }
        singleBlocks = (0..<configuration.singleBlockCount).map {
            SingleStreamBlock(scope["single_transformer_blocks"][$0], configuration)
        }
        outputModulation = Linear(scope["norm_out"]["linear"], from: width, to: 2 * width)
        output = Linear(scope["proj_out"], from: width, to: configuration.latentChannels)
    }

    /// Computes the velocity of the latents' tokens.
    ///
    /// - Shapes: → [B, Ti, C].
    public func callAsFunction(
        _ input: TransformerInput, observe: Observer = ignoreOutputs
    ) throws -> Tensor {
        guard input.memory == nil else {
            return try evaluateInLockstep([input], prepare: { _ in }) { try observe($1, $2) }[0]
        }
        let embedding = try timestepEmbedding(input, observe)
        return try velocity(
            of: runSingleBlocks(input, embedding, observe), input, embedding, observe)
    }

    /// The embedding of noise level and guidance that modulates all blocks, [B, D].
    func timestepEmbedding(_ input: TransformerInput, _ observe: Observer) throws -> Tensor {
        if let shared = input.shared { return shared.embedding }
        let embedding = try timestepEmbedding(input.sigma, guidance: input.guidance)
        try observe("time_guidance_embed", embedding)
        return embedding
    }

    /// The velocity of the latents' tokens, from the sequence behind all blocks.
    func velocity(
        of hidden: Tensor, _ input: TransformerInput, _ embedding: Tensor, _ observe: Observer
    ) throws -> Tensor {
        let image = try hidden.slice(input.text.size(1)..<hidden.size(1), along: 1)
        let velocity = try projectOutput(image, input, embedding, observe)
        return try velocity.slice(0..<input.latents.size(1), along: 1)
    }

    /// The modulations of the double-stream blocks, and the embedded streams they start from.
    func blockInputs(
        _ input: TransformerInput, _ embedding: Tensor, _ observe: Observer
    ) throws -> (modulations: DoubleModulations, streams: (image: Tensor, text: Tensor)) {
        let modulations = try doubleModulations(input, embedding, observe)
        let streams = try (
            image: embedImage(input, observe), text: embedText(input, observe)
        )
        return (modulations, streams)
    }

    func doubleModulations(
        _ input: TransformerInput, _ embedding: Tensor, _ observe: Observer
    ) throws -> DoubleModulations {
        if let shared = input.shared { return shared.double }
        return try (
            image: imageModulation(embedding, observe: observe),
            text: textModulation(embedding, observe: observe)
        )
    }

    /// The modulation of the single-stream blocks.
    func singleModulation(
        _ input: TransformerInput, _ embedding: Tensor, _ observe: Observer
    ) throws -> Modulation {
        if let shared = input.shared { return shared.single }
        return try singleModulation(embedding, observe: observe)[0]
    }

    /// Scale and shift of the last normalization, one behind the other, [B, 1, 2D].
    func outputModulation(_ input: TransformerInput, _ embedding: Tensor) throws -> Tensor {
        if let shared = input.shared { return shared.output }
        return try outputModulation(silu(embedding)).unsqueezed(1)
    }

    /// Latents and references, [B, Ti + Tr, D].
    func embedImage(_ input: TransformerInput, _ observe: Observer) throws -> Tensor {
        if let shared = input.shared { return shared.image }
        let tokens = try input.references.map {
            try Tensor.concatenating([input.latents, $0], along: 1)
        }
        let image = try latentEmbedder(tokens ?? input.latents)
        try observe("x_embedder", image)
        return image
    }

    /// What the text's stream starts from, [B, Tt, D]; the same at all noise levels.
    public func embed(text: Tensor) throws -> Tensor { try textEmbedder(text) }

    private func embedText(_ input: TransformerInput, _ observe: Observer) throws -> Tensor {
        if let text = input.embeddedText { return text }
        let text = try embed(text: input.text)
        try observe("context_embedder", text)
        return text
    }

    /// The streams behind the double-stream blocks as one sequence, text first.
    private func runDoubleBlocks(
        _ input: TransformerInput, _ embedding: Tensor, _ observe: Observer
    ) throws -> Tensor {
        let (modulations, start) = try blockInputs(input, embedding, observe)
        var streams = start
        for (index, block) in doubleBlocks.enumerated() {
            streams = try block.checkpointed(
                input.checkpointing, image: streams.image, text: streams.text,
                modulations: modulations, rotary: input.rotary,
                cache: input.caches["double_\(index)"])
            try observe("transformer_blocks.\(index).text", streams.text)
            try observe("transformer_blocks.\(index).image", streams.image)
        }
        return try Tensor.concatenating([streams.text, streams.image], along: 1)
    }

    private func runSingleBlocks(
        _ input: TransformerInput, _ embedding: Tensor, _ observe: Observer
    ) throws -> Tensor {
        // Nothing else holds the sequence, so each block's input goes when its output is there.
        var hidden = try runDoubleBlocks(input, embedding, observe)
        let modulation = try singleModulation(input, embedding, observe)
        for (index, block) in singleBlocks.enumerated() {
            hidden = try block.checkpointed(
                input.checkpointing, hidden, modulation: modulation, rotary: input.rotary,
                cache: input.caches["single_\(index)"])
            try observe("single_transformer_blocks.\(index)", hidden)
        }
        return hidden
    }

    /// The output norm, whose matrix gives scale before shift, and the output projection.
    func projectOutput(
        _ image: Tensor, _ input: TransformerInput, _ embedding: Tensor, _ observe: Observer
    ) throws -> Tensor {
        let (scale, shift) = try outputModulation(input, embedding).halves(along: -1)
        let normed = try modulated(
            image, shift: shift, scale: scale, epsilon: configuration.epsilon)
        try observe("norm_out", normed)
        return try output(normed)
    }
}
