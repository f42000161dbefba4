public import Imaging
public import Torch

/// What to make an image of, and how; names and defaults are DiffSynth-Studio's.
public struct GenerationRequest: Hashable, Sendable {
    /// What the image shows, or what to do with ``editImages``.
    public var prompt: String
    /// Tokens that prompts are cut or padded to; nil is what the model was made for, 512.
    public var textLength: Int?
    /// Encoded and used only when `cfgScale` is not 1.
    public var negativePrompt = ""
    /// Classifier-free guidance; 1 does without, at half the cost.
    public var cfgScale = 1.0
    /// Guidance as an input of the model; models without that input ignore it.
    public var embeddedGuidance = 4.0
    /// Pixels; rounded up to a multiple of 16.
    public var height = 1024
    /// Pixels; rounded up to a multiple of 16.
    public var width = 1024
    /// Of the noise; the same seed and settings give the same image.
    public var seed: UInt64
    /// Where noise is drawn; the same seed gives another image on another kind of device.
    public var randomDevice = Device.cpu
    /// Noise levels on the way to the image, 1 to 10000.
    public var steps = 30
    /// First Block Cache: steps in which little changes reuse the residual of all transformer blocks but
    /// the first in an earlier step; nil computes all steps.
    ///
    /// The threshold is the error that skipped steps may add up to until the next complete one: how much
    /// what the first block changes differs from what it changed in the last complete step, as a share.
    /// The first step and the last are always complete; 0 skips none.
    public var stepCache: Double?

    /// An image to start from or to paint over, of the rounded size.
    public var inputImage: Image?
    /// How far the start is from `inputImage`: 1 is noise alone. The number of steps stays.
    public var denoisingStrength = 1.0
    /// Images that the prompt refers to, of any sizes.
    public var editImages: [Image] = []
    /// Whether `editImages` are resized to about a megapixel; else their sides have to be multiples
    /// of 16.
    public var resizesEditImages = true
    /// The area in pixels that they are resized to then; the model says it.
    var referenceArea = 1024 * 1024
    /// What of `inputImage` is painted anew.
    public var inpainting: Inpainting?
    /// Noise to start from instead of drawing it, [1, C, h, w].
    public var initialNoise: HostTensor?
    /// What the prompts' branches are given besides.
    public var extras = Extras()
    /// The same for the negative prompt.
    public var negativeExtras = Extras()

    /// LoRAs, applied in this order.
    public var loras: [LoRAUse] = []
    /// How ``loras`` work on the weights; one way for all of them.
    public var loraMode = LoRAUse.Mode.hot

    /// Whether and how images pass the autoencoder in pieces.
    public var tiling = Tiling.automatic
    /// Whose habits are followed where the references differ.
    public var parity = Parity.diffsynth
    /// Settings to be told of where they change nothing, even if they are as usual.
    package var named: Set<NamedSetting> = []

    /// White places of a mask are painted anew, black ones are kept.
    public struct Inpainting: Hashable, Sendable {
        /// Of any size with the image's aspect ratio. Read from a file with ``Imaging/ReadOptions/mask``,
        /// its transparent places are kept.
        public var mask: Image
        /// Softens the mask; in tokens of 16 pixels.
        public var blur: Blur?

        /// A Gaussian blur of the mask.
        public struct Blur: Hashable, Sendable {
            /// The reach of the kernel, which is 2·size + 1 wide.
            public var size: Int
            /// The deviation of the bell curve, above 0.
            public var sigma: Double

            /// A kernel of 2·size + 1 tokens; `size` is below the shorter side in tokens.
            public init(size: Int, sigma: Double) {
                self.size = size
                self.sigma = sigma
            }
        }

        /// Paints anew where the mask is white; without a blur, its edges stay as they are.
        public init(mask: Image, blur: Blur? = nil) {
            self.mask = mask
            self.blur = blur
        }
    }

    /// Inputs of one branch of guidance that bypass the text encoder.
    public struct Extras: Hashable, Sendable {
        /// Features that follow those of the prompt, [1, T, J].
        public var textEmbedding: HostTensor?
        /// Keys and values that blocks look at besides their own, by `double_0`…, `single_0`….
        public var caches: [String: CacheRecord] = [:]

        /// Adds nothing; inputs are set one by one.
        public init() {}
    }

    /// Keys and values for one block, [1, T, H, d] each.
    public struct CacheRecord: Hashable, Sendable {
        /// [1, T, H, d], rotated already where that is wanted.
        public var keys: HostTensor
        /// [1, T, H, d].
        public var values: HostTensor

        /// Keys with their values; both have the same shape.
        public init(keys: HostTensor, values: HostTensor) {
            self.keys = keys
            self.values = values
        }
    }

    /// An image of 1024x1024 pixels in 30 steps; all else is set afterwards.
    public init(prompt: String, seed: UInt64) {
        self.prompt = prompt
        self.seed = seed
    }

    /// Whether the conditional and unconditional passes have the same weights.
    var branchesShareWeights: Bool { loras.allSatisfy { $0.branch == nil } }

    /// Whether images pass the autoencoder before denoising.
    var readsImages: Bool { inputImage != nil || !editImages.isEmpty }

    /// The longest side that is accepted, in pixels.
    public static let largestSide = 16384

    /// The size of the image that will come out, in pixels.
    public var roundedSize: (height: Int, width: Int) {
        // What is refused later must not overflow here.
        func rounded(_ side: Int) -> Int { (min(side, Self.largestSide) + 15) / 16 * 16 }
        return (rounded(height), rounded(width))
    }
}
