public import FluxModels
public import Torch

/// What the memory and the work of training a transformer follow from.
public struct TrainingEstimateInput: Sendable {
    /// The architecture; nil where the task has no transformer, and only encodes.
    public var transformer: TransformerConfiguration?
    /// The type that is computed in.
    public var dtype = DType.bfloat16
    /// Samples that are computed side by side.
    public var batchSize = 1
    /// Tokens of the largest image.
    public var imageTokens: Int
    /// Tokens of the images that its prompt refers to.
    public var referenceTokens = 0
    /// Tokens of its caption, padding included.
    public var textTokens = 512
    /// Evaluations that one loss takes gradients through: more than 1 in distillation.
    public var evaluations = 1
    /// Whether blocks are recomputed by gradient checkpointing.
    public var recomputes = false
    /// Shapes of the tensors that are trained.
    public var trained: [[Int]] = []
    /// Whether these are the model's own weights, not low-rank changes beside them.
    public var trainsWeights = false
    /// How they are changed.
    public var optimizer = OptimizerKind.adamw
    /// How small changes of bfloat16 weights are kept.
    public var masterWeights = MasterWeights.none
    /// Whether an average of weights is kept.
    public var averages = false
    /// How optimizer state is spread.
    public var sharding: ShardingStage?
    /// Processes that work together.
    public var processes = 1
    /// What is not trained.
    public var frozen: [FrozenWeights] = []
    /// The most that encoding a caption takes while it is done, in bytes.
    public var captionBytes = 0
    /// The same for an image.
    public var imageBytes = 0
    /// Encoded samples that stay in memory, in bytes.
    public var keptBytes = 0
    /// What the process needs without any tensor, in bytes.
    public var processBytes = 0

    /// A step on one sample with an image of so many tokens.
    public init(_ transformer: TransformerConfiguration?, imageTokens: Int) {
        self.transformer = transformer
        self.imageTokens = imageTokens
    }

    /// Tokens of one sample in all blocks, S.
    public var tokens: Int { imageTokens + referenceTokens + textTokens }
    /// Values that are trained.
    public var trainedCount: Int { trained.reduce(0) { $0 + $1.reduce(1, *) } }
}

/// Weights of a component that are not trained.
public struct FrozenWeights: Hashable, Sendable {
    /// The component, and how most of its weights are kept.
    public var name: String
    /// Bytes that stay in their files and are mapped: memory that the system takes back at need.
    public var mapped: Int
    /// Bytes of their own: quantized, or on a device.
    public var held: Int
    /// Bytes of the largest matrix that is converted each time it is used.
    public var scratch: Int

    /// Describes a component.
    public init(name: String, mapped: Int = 0, held: Int = 0, scratch: Int = 0) {
        self.name = name
        self.mapped = mapped
        self.held = held
        self.scratch = scratch
    }
}
