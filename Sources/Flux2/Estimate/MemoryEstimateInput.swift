internal import FluxModels
internal import Imaging
public import Torch

/// What the memory of a generation depends on.
public struct MemoryEstimateInput: Sendable {
    /// What the memory depends on in a model's components.
    public struct Model: Sendable {
        let transformer: TransformerConfiguration
        let textEncoder: TextEncoderConfiguration
        let autoencoder: AutoencoderConfiguration
        /// Looks at headers and configurations; no weight is read.
        ///
        /// - Throws: `ModelError` when a component is of another kind, or does not belong to the
        ///   others.
        public init(_ files: ModelFiles) throws {
            self.init(try ModelParts(files).architecture)
        }

        init(_ architecture: Architecture) {
            transformer = architecture.transformer
            textEncoder = architecture.encoder
            autoencoder = architecture.autoencoder
        }
    }

    /// The architectures.
    public var model: Model
    /// The type that everything is computed in.
    public var dtype: DType
    /// Threads of one operation.
    public var threads: Int
    /// Rounded to multiples of 16 pixels.
    public var size: (height: Int, width: Int)
    /// Noise levels.
    public var steps: Int
    /// Places for tokens of a prompt.
    public var textLength: Int
    /// Whether words stand behind the padding, which is then computed once for all of it; how many
    /// places that leaves is known when the prompt is.
    public var computedTokens: Int
    /// Texts to be encoded; those remembered are none.
    public var encodedTexts: Int
    /// Passes of guidance: 1, or 2 where classifier-free guidance is on.
    public var branches: Int
    /// Whether the conditional and unconditional passes go through each group of weights before the next one.
    public var evaluatesInLockstep = false
    /// Whether both sides are given the same embedded image.
    public var sharesImage = false
    /// Whether steps keep what later ones may take over.
    public var cachesSteps = false
    /// Tokens that follow the prompt's.
    public var extraTextTokens = 0
    /// Tokens of keys and values that come from outside, for a block that has them.
    public var cachedTokens = 0
    /// Sizes of reference images as they are encoded.
    public var references: [(height: Int, width: Int)] = []
    /// Whether there is an image to start from.
    public var hasInputImage = false
    /// Whether a part of that image is kept.
    public var inpaints = false
    /// Bytes of LoRAs as they are kept in memory.
    public var loraBytes = 0
    /// Bytes for a matrix of the text encoder while it is used, where it is kept in another type.
    public var encoderScratch = 0
    /// The same of the transformer.
    public var transformerScratch = 0
    /// The same of the autoencoder.
    public var autoencoderScratch = 0
    /// How images pass the autoencoder; `automatic` counts as `off` where memory is not known.
    var method: Tiling.Method = .whole
    /// The same for reference images, one each.
    var referenceMethods: [Tiling.Method] = []
    /// Images that were made before by the same process, as in a batch.
    public var formerImages = 0

    /// Tokens that go through the transformer at once: of text, image and references.
    var transformerTokens: Int {
        let images = [size] + references
        return textLength + extraTextTokens
            + images.reduce(0) { $0 + $1.height * $1.width / 256 }
    }
}

extension MemoryEstimateInput {
    /// What a request demands of a model.
    ///
    /// - Parameters:
    ///   - words: tokens of a prompt without padding; nil is as many as fit.
    ///   - remembersPrompts: whether features of all prompts are known.
    ///   - freeBytes: what is free for `Tiling.automatic` to decide by; nil is enough.
    public init(
        _ request: GenerationRequest, model: Model, dtype: DType, threads: Int,
        textLength: Int = 512, words: Int? = nil, remembersPrompts: Bool = false,
        loraBytes: Int = 0, freeBytes: Int? = nil
    ) {
        self.model = model
        self.dtype = dtype
        self.threads = threads
        size = request.roundedSize
        steps = request.steps
        let length = request.textLength ?? textLength
        self.textLength = length
        // Only the family of dev has its padding before the words.
        let padding = model.textEncoder.family == .mistral3 ? length - (words ?? length) : 0
        computedTokens = length - max(padding - 1, 0) / 16 * 16
        branches = request.cfgScale == 1 ? 1 : 2
        sharesImage = branches == 2 && request.branchesShareWeights
        cachesSteps = request.stepCache != nil
        encodedTexts =
            remembersPrompts ? 0 : branches == 2 && request.prompt != request.negativePrompt ? 2 : 1
        extraTextTokens =
            [request.extras, request.negativeExtras]
            .map { $0.textEmbedding?.secondLength ?? 0 }.max() ?? 0
        cachedTokens =
            [request.extras, request.negativeExtras]
            .flatMap { $0.caches.values.map(\.keys.secondLength) }.max() ?? 0
        references = request.encodedEditSizes
        hasInputImage = request.inputImage != nil
        inpaints = request.inpainting != nil
        self.loraBytes = loraBytes
        func way(_ size: (height: Int, width: Int)) -> Tiling.Method {
            request.tiling.method(
                model.autoencoder, size.height, size.width, free: freeBytes ?? .max)
        }
        method = way(size)
        referenceMethods = references.map(way)
    }
}

extension GenerationRequest {
    /// The sizes in which reference images are encoded, in pixels.
    var encodedEditSizes: [(height: Int, width: Int)] {
        fittedEditImages.map { ($0.height, $0.width) }
    }

    /// Reference images as they are encoded.
    var fittedEditImages: [Image] {
        guard resizesEditImages else { return editImages }
        return editImages.map {
            parity.fitted($0, among: editImages.count, area: referenceArea)
        }
    }
}

extension HostTensor {
    /// Tokens of an input; 0 for what has none, which is refused elsewhere.
    fileprivate var secondLength: Int { shape.count > 1 ? shape[1] : 0 }
}
