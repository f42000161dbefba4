internal import FluxModels
internal import Imaging
public import Torch

/// What the memory of a generation depends on.
public struct MemoryDemand: Sendable {
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
    /// Sides of guidance: 1, or 2 where classifier-free guidance is on.
    public var branches: Int
    /// Whether both sides of guidance go through each group of weights before the next one.
    public var goesSideBySide = false
    /// Whether both sides are given the same embedded picture.
    public var sharesPicture = false
    /// Whether steps keep what later ones may take over.
    public var cachesSteps = false
    /// Tokens that follow the prompt's.
    public var extraTextTokens = 0
    /// Tokens of keys and values that come from outside, for a block that has them.
    public var cachedTokens = 0
    /// Sizes of reference pictures as they are encoded.
    public var references: [(height: Int, width: Int)] = []
    /// Whether there is a picture to start from.
    public var hasInputImage = false
    /// Whether a part of that picture is kept.
    public var inpaints = false
    /// Bytes of LoRAs as they are kept in memory.
    public var loraBytes = 0
    /// Bytes for a matrix of the text encoder while it is used, where it is kept in another type.
    public var encoderScratch = 0
    /// The same of the transformer.
    public var transformerScratch = 0
    /// The same of the autoencoder.
    public var autoencoderScratch = 0
    /// How pictures pass the autoencoder; `automatic` counts as `off` where memory is not known.
    var passage: Tiling.Passage = .whole
    /// The same for reference pictures, one each.
    var referencePassages: [Tiling.Passage] = []
    /// Pictures that were made before by the same process, as in a batch.
    public var formerPictures = 0

    /// Tokens that go through the transformer at once: of text, picture and references.
    var transformerTokens: Int {
        let pictures = [size] + references
        return textLength + extraTextTokens
            + pictures.reduce(0) { $0 + $1.height * $1.width / 256 }
    }
}

extension MemoryDemand {
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
        sharesPicture = branches == 2 && request.sidesHaveSameWeights
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
        func way(_ size: (height: Int, width: Int)) -> Tiling.Passage {
            request.tiling.passage(
                model.autoencoder, size.height, size.width, free: freeBytes ?? .max)
        }
        passage = way(size)
        referencePassages = references.map(way)
    }
}

extension GenerationRequest {
    /// The sizes in which reference pictures are encoded, in pixels.
    var encodedEditSizes: [(height: Int, width: Int)] {
        fittedEditImages.map { ($0.height, $0.width) }
    }

    /// Reference pictures as they are encoded.
    var fittedEditImages: [Image] {
        guard resizesEditImages else { return editImages }
        return editImages.map {
            parity.fitted($0, among: editImages.count, area: referenceArea)
        }
    }
}

extension TensorRecord {
    /// Tokens of an input; 0 for what has none, which is refused elsewhere.
    fileprivate var secondLength: Int { shape.count > 1 ? shape[1] : 0 }
}
