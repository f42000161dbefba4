public import Flux2
public import FluxModels
public import LoRA
public import Torch

/// Everything that decides a training run, besides the models' files.
public struct TrainingSettings: Sendable {
    /// What is done.
    public var task = TrainingTask.sft
    /// Where samples come from.
    public var data = DataSettings()
    /// What is trained.
    public var method = MethodSettings()
    /// How it is changed.
    public var optimization = OptimizationSettings()
    /// What is written, and when.
    public var output = OutputSettings()
    /// What is looked at in between.
    public var validation = ValidationSettings()
    /// What random numbers follow from.
    public var seed: UInt64 = 0
    /// In which order they are drawn.
    public var drawOrder = RandomOrder.sample
    /// Takes noise levels, weights and targets in float32; distillation shifts its levels by the size
    /// of images. DiffSynth-Studio does neither.
    public var isExact = false
    /// Where blocks keep their inputs when they are recomputed by gradient checkpointing; nil computes none
    /// again.
    public var checkpointing: ActivationCheckpointing?
    /// What the divergence of latents from normal noise counts beside the errors of pixels, when the
    /// autoencoder is trained; both are per value of an image.
    public var divergenceWeight = 1e-6
    /// Whether frozen blocks come to the device while they are used; on the processor they are mapped
    /// anyway.
    public var streamsWeights = false

    /// DiffSynth-Studio's defaults.
    public init() {}
}

/// Where samples come from.
public struct DataSettings: Sendable {
    /// The folder that paths are relative to, or that holds encoded samples; empty is the current one.
    public var base = "."
    /// Rows that name images; nil for encoded samples, or a folder of images with captions.
    public var metadata: String?
    /// How often each sample comes in an epoch.
    public var repeats = 1
    /// Images that are decoded at once, ahead of their use; 0 decodes each when it is needed.
    public var workers = 0
    /// Columns that name images.
    public var imageColumns = ["image", "video"]
    /// Columns that objectives are told.
    public var extraInputs: [String] = []
    /// Pixels, for a fixed size.
    public var height: Int?
    /// Pixels, for a fixed size.
    public var width: Int?
    /// The largest area otherwise.
    public var maxPixels = 1024 * 1024
    /// Samples that are computed side by side.
    public var batchSize = 1
    /// Whether samples whose images cannot be read are left out.
    public var skipsUnreadable = false
    /// Whether images are taken as stored, whatever EXIF says.
    public var ignoresOrientation = false
    /// Whether transparency is dropped instead of putting images on white.
    public var dropsAlpha = false
    /// Bytes of encoded samples that are kept in memory.
    public var keptBytes = 0

    /// Images of up to a megapixel, one at a time.
    public init() {}

    /// ``base`` as the system takes it.
    var folder: String { base.isEmpty ? "." : base }
}

/// What is trained.
public struct MethodSettings: Sendable {
    /// Weights that are trained whole.
    public var trained: [TrainableModule] = []
    /// Where low-rank changes are put.
    public var loraBase: TrainableModule?
    /// Which layers get one.
    public var loraTargets = LoRATargets.automatic
    /// The rank of each.
    public var loraRank = 32
    /// Changes are multiplied with this over the rank; nil and 0 are the rank.
    public var loraAlpha: Double?
    /// A file to go on from.
    public var loraCheckpoint: String?
    /// A LoRA that is part of the model from the start.
    public var presetLoRA: String?
    /// The component that it changes.
    public var presetComponent: Component?
    /// Whether a preset LoRA may have modules of transformer blocks that the component does not have.
    public var presetMayBePartial = false
    /// A full checkpoint to start from.
    public var weightsCheckpoint: String?

    /// Nothing is trained.
    public init() {}

    /// ``loraAlpha``, or what stands for it.
    var appliedAlpha: Double {
        loraAlpha.flatMap { $0 == 0 ? nil : $0 } ?? Double(loraRank)
    }
}

/// How weights are changed.
public struct OptimizationSettings: Sendable {
    /// The rule.
    public var optimizer = OptimizerKind.adamw
    /// How far.
    public var learningRate = 1e-4
    /// Pulls weights to 0, as a share of the rate.
    public var weightDecay = 0.01
    /// Passes through all samples.
    public var epochs = 1
    /// Micro-batches whose gradients make one update.
    public var accumulation = 1
    /// How the rate goes on; nil is DiffSynth-Studio's.
    public var schedule: RateSchedule.Shape?
    /// Updates by which the rate has grown to its whole.
    public var warmup = 0
    /// The largest norm of all gradients together; nil and 0 do not limit it.
    public var clippedNorm: Double?
    /// How small changes of bfloat16 weights are kept.
    public var masterWeights = MasterWeights.none
    /// What of an average stays in an update; nil averages nothing.
    public var averageDecay: Double?
    /// How optimizer state is spread over processes; nil keeps it on each.
    public var sharding: ShardingStage?
    /// Micro-steps after which to stop; nil does all.
    public var stopAfterSteps: Int?
    /// Seconds after which to stop; nil does not look at the clock.
    public var stopAfterSeconds: Double?

    /// DiffSynth-Studio's defaults.
    public init() {}
}

/// What is written, and when.
public struct OutputSettings: Sendable {
    /// The folder of checkpoints and logs.
    public var folder = "./models"
    /// What is taken off the beginning of names in checkpoints.
    public var removedPrefix = "pipe.dit."
    /// Micro-steps between checkpoints; nil writes one for each epoch.
    public var saveEvery: Int?
    /// The naming of LoRA files.
    public var dialect = LoRADialect.diffsynth
    /// Whether what resuming needs is written with each checkpoint.
    public var keepsState = true
    /// Whether to go on from such a state.
    public var resumes = false
    /// Whether a training that lies in the folder is replaced.
    public var replaces = false
    /// What `training_args.json` says; nil writes none.
    public var arguments: [UInt8]?
    /// Logs beside the report.
    public var logs: Set<LogKind> = []
    /// What checkpoints say about the model they change.
    public var baseModel: String?

    /// A log that can be asked for.
    public enum LogKind: String, Hashable, Sendable, CaseIterable {
        /// `loss.csv`.
        case csv
        /// `log.jsonl`.
        case jsonLines
        /// `tensorboard_log`.
        case tensorBoard
        /// `report.html`.
        case report
    }

    /// DiffSynth-Studio's defaults.
    public init() {}
}

/// Held-out losses and sample images between steps.
public struct ValidationSettings: Sendable {
    /// Samples that are held out of training and whose loss is taken now and then.
    public var heldOut = 0
    /// Micro-steps between two looks at them.
    public var validateEvery: Int?
    /// Captions of images that are made now and then.
    public var prompts: [String] = []
    /// Micro-steps between two sets of images.
    public var sampleEvery: Int?
    /// Pixels.
    public var sampleHeight = 512
    /// Pixels.
    public var sampleWidth = 512
    /// Steps of each image.
    public var sampleSteps = 20
    /// Guidance by the empty prompt; 1 is without.
    public var sampleScale = 1.0
    /// The seed of every image.
    public var sampleSeed: UInt64 = 0
    /// What the file of an image says besides its prompt, from how it was made and the step of it.
    public var metadata: (@Sendable (GenerationRequest, _ step: Int) -> [String: String])?

    /// Nothing is looked at.
    public init() {}
}
