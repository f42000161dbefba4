internal import FluxModels

extension Flux2ImagePipeline {
    /// Makes an image; parameters and defaults are those of DiffSynth-Studio's `__call__`.
    ///
    /// - Parameters:
    ///   - prompt: what the image shows.
    ///   - negativePrompt: what not; used when `cfgScale` is not 1.
    ///   - cfgScale: classifier-free guidance; nil is the preset's, else 1, which is off.
    ///   - embeddedGuidance: guidance as an input of the model; dev only.
    ///   - t5SequenceLength: text tokens that prompts are cut or padded to; nil is 512, or what the
    ///     model says.
    ///   - inputImage: an image to start from or to paint over, `width` by `height` pixels.
    ///   - denoisingStrength: how far the start is from `inputImage`: 1 is noise alone.
    ///   - editImage: images that the prompt refers to.
    ///   - editImageAutoResize: whether these are resized to about a megapixel.
    ///   - height: pixels, rounded up to a multiple of 16; nil is the preset's, else 1024.
    ///   - width: pixels, rounded up to a multiple of 16; nil is the preset's, else 1024.
    ///   - seed: of the noise; nil draws one.
    ///   - randDevice: where noise is drawn.
    ///   - initialNoise: noise to start from instead, [1, 128, h, w].
    ///   - numInferenceSteps: nil is the preset's, else 30.
    ///   - stepCache: has steps in which little changes take over most of their work from earlier ones; the
    ///     threshold of ``GenerationRequest/stepCache``. nil computes all.
    ///   - kvCache: keys and values that blocks look at besides their own.
    ///   - negativeKVCache: the same for the negative prompt.
    ///   - lora: LoRAs for the conditional pass only.
    ///   - negativeLoRA: LoRAs for the unconditional pass only.
    ///   - extraTextEmbedding: features that follow those of the prompt, [1, T, J].
    ///   - negativeExtraTextEmbedding: the same for the negative prompt.
    ///   - inpaintMask: white is painted anew, black is kept; read it with ``Imaging/ReadOptions/mask``.
    ///   - inpaintBlurSize: softens the mask, with `inpaintBlurSigma`; tokens of 16 pixels.
    ///   - inpaintBlurSigma: of the blur, in tokens.
    ///   - tiled: whether images pass the autoencoder in tiles that fade into each other; without,
    ///     they do whole, or in strips with the same result where memory is short.
    ///   - tileSize: side of a tile, in latents of 8 pixels.
    ///   - tileStride: from one tile to the next, in latents.
    ///   - progressBarCmd: told about each step; nil for none.
    /// - Throws: as ``generate(_:onEvent:)``.
    public func callAsFunction(
        prompt: String = "", negativePrompt: String = "", cfgScale: Double? = nil,
        embeddedGuidance: Double = 4, t5SequenceLength: Int? = nil, inputImage: Image? = nil,
        denoisingStrength: Double = 1, editImage: [Image] = [], editImageAutoResize: Bool = true,
        height: Int? = nil, width: Int? = nil, seed: UInt64? = nil, randDevice: Device = .cpu,
        initialNoise: HostTensor? = nil, numInferenceSteps: Int? = nil,
        stepCache: Double? = nil,
        kvCache: [String: GenerationRequest.CacheRecord] = [:],
        negativeKVCache: [String: GenerationRequest.CacheRecord] = [:],
        lora: [LoRAUse] = [], negativeLoRA: [LoRAUse] = [],
        extraTextEmbedding: HostTensor? = nil, negativeExtraTextEmbedding: HostTensor? = nil,
        inpaintMask: Image? = nil, inpaintBlurSize: Int? = nil, inpaintBlurSigma: Double? = nil,
        tiled: Bool = false, tileSize: Int = 128, tileStride: Int = 64,
        progressBarCmd: (@Sendable (GenerationEvent) -> Void)? = nil
    ) async throws -> Image {
        var request = GenerationRequest(prompt: prompt, seed: seed ?? GenerationRequest.anySeed())
        request.negativePrompt = negativePrompt
        request.cfgScale = cfgScale ?? preset?.cfgScale ?? request.cfgScale
        request.embeddedGuidance = embeddedGuidance
        request.textLength = t5SequenceLength
        request.inputImage = inputImage
        request.denoisingStrength = denoisingStrength
        request.editImages = editImage
        request.resizesEditImages = editImageAutoResize
        request.height = height ?? preset?.height ?? request.height
        request.width = width ?? preset?.width ?? request.width
        request.randomDevice = randDevice
        request.initialNoise = initialNoise
        request.steps = numInferenceSteps ?? preset?.steps ?? request.steps
        request.stepCache = stepCache
        request.extras.caches = kvCache
        request.negativeExtras.caches = negativeKVCache
        request.extras.textEmbedding = extraTextEmbedding
        request.negativeExtras.textEmbedding = negativeExtraTextEmbedding
        request.loras =
            lora.map { $0.on(.conditional) } + negativeLoRA.map { $0.on(.unconditional) }
        request.inpainting = try .init(
            mask: inpaintMask, blurSize: inpaintBlurSize, blurSigma: inpaintBlurSigma)
        if tiled { request.tiling = .feathered(.init(size: tileSize, stride: tileStride)) }
        return try await generate(request, onEvent: progressBarCmd ?? { _ in }).image
    }
}

extension GenerationRequest {
    /// A seed that is short enough to be written down.
    public static func anySeed() -> UInt64 { UInt64(UInt32.random(in: .min ... .max)) }
}

extension GenerationRequest.Inpainting {
    /// What DiffSynth-Studio's three parameters come to; nil without a mask.
    ///
    /// - Throws: `RequestError` for a blur without a mask, or half of one.
    public init?(mask: Image?, blurSize: Int?, blurSigma: Double?) throws {
        guard mask != nil || (blurSize == nil && blurSigma == nil) else {
            throw RequestError(
                setting: "inpaint-blur-size", expected: "given with a mask", found: "without")
        }
        guard (blurSize == nil) == (blurSigma == nil) else {
            throw RequestError(
                setting: "inpaint-blur-size", expected: "given with a sigma, or neither",
                found: "one of both")
        }
        guard let mask else { return nil }
        self.init(mask: mask)
        if let blurSize, let blurSigma { blur = Blur(size: blurSize, sigma: blurSigma) }
    }
}

extension LoRAUse {
    fileprivate func on(_ branch: GuidanceBranch) -> LoRAUse {
        var use = self
        use.branch = branch
        return use
    }
}
