internal import FluxModels
internal import Torch

/// How much memory training will take, part by part, told before a weight is read.
public struct TrainingMemoryEstimate: Hashable, Sendable {
    /// When memory is taken.
    public enum Occasion: String, Hashable, Sendable, Codable {
        /// Pages of files, which the system takes back when it needs them.
        case mapped
        /// All the time.
        case held
        /// While a step is computed, between forward and backward.
        case step
        /// While a sample is encoded, which is at another time than a step.
        case encoding
    }

    /// One line of the plan.
    public struct Part: Hashable, Sendable, Codable {
        /// What it is.
        public var name: String
        /// When it is there.
        public var occasion: Occasion
        /// How much it is.
        public var bytes: Int
    }

    /// All parts that are anything.
    public private(set) var parts: [Part] = []

    /// Adds up what a step needs.
    ///
    /// Activations follow multiples of S·D that were measured for blocks of this architecture: 26
    /// where adapters are trained and 30 where weights are, for a block; 1 for the input of each block
    /// that is recomputed.
    public init(_ demand: TrainingEstimateInput) {
        add("process", .held, demand.processBytes)
        for weights in demand.frozen {
            add(weights.name, .mapped, weights.mapped)
            add(weights.name, .held, weights.held)
        }
        add("scratch for quantized matrices", .held, demand.frozen.map(\.scratch).max() ?? 0)
        addTrained(demand)
        add("encoded samples", .held, demand.keptBytes)
        if let transformer = demand.transformer { addStep(demand, transformer) }
        add("text encoder", .encoding, demand.captionBytes)
        add("autoencoder", .encoding, demand.imageBytes)
    }

    private mutating func add(_ name: String, _ occasion: Occasion, _ bytes: Int) {
        guard bytes > 0 else { return }
        parts.append(Part(name: name, occasion: occasion, bytes: bytes))
    }

    private mutating func addTrained(_ demand: TrainingEstimateInput) {
        let values = demand.trainedCount * demand.dtype.byteCount
        // Whole tensors are dealt out, about equally many bytes each.
        func share(_ bytes: Int, from stage: ShardingStage) -> Int {
            guard let sharding = demand.sharding, sharding.rawValue >= stage.rawValue else {
                return bytes
            }
            return bytes / max(1, demand.processes)
        }
        let state = OptimizerFootprint(demand)
        add("trained weights", .held, values)
        add("gradients", .held, share(values, from: .gradients))
        add("\(demand.optimizer.rawValue) state", .held, share(state.moments, from: .states))
        add(state.companionName, .held, share(state.companions, from: .states))
        add("averages of weights", .held, demand.averages ? 4 * demand.trainedCount : 0)
    }

    private mutating func addStep(
        _ demand: TrainingEstimateInput, _ transformer: TransformerConfiguration
    ) {
        let blocks = transformer.doubleBlockCount + transformer.singleBlockCount
        let rows = demand.batchSize * demand.dtype.byteCount
        let sequence = rows * demand.tokens * transformer.width
        let inBlock = (demand.trainsWeights ? 30 : 26) * sequence
        if demand.recomputes {
            add("inputs of blocks", .step, blocks * sequence * demand.evaluations)
            add("a block recomputed", .step, inBlock)
        } else {
            add("activations of blocks", .step, blocks * inBlock * demand.evaluations)
        }
        // The sample, noise, what lies between them, the velocity and its gradient.
        let latents = 8 * rows * demand.imageTokens * transformer.latentChannels
        add(
            "sample, noise and loss", .step,
            latents + 2 * rows * demand.textTokens * transformer.textWidth)
    }

    // MARK: Sums

    /// Bytes of an occasion; of those that encode, one after the other, the most.
    public func bytes(_ occasion: Occasion) -> Int {
        let found = parts.filter { $0.occasion == occasion }.map(\.bytes)
        return occasion == .encoding ? found.max() ?? 0 : found.reduce(0, +)
    }

    /// The most private memory that the process will take.
    public var peak: Int { bytes(.held) + max(bytes(.step), bytes(.encoding)) }
}

/// What an optimizer keeps for the tensors of a demand.
struct OptimizerFootprint {
    /// Bytes of moments and their scales.
    private(set) var moments = 0
    /// Bytes of master weights or of what was rounded off.
    private(set) var companions = 0
    /// What these are.
    let companionName: String

    init(_ demand: TrainingEstimateInput) {
        let masterWeights = demand.dtype == .bfloat16 ? demand.masterWeights : .none
        companionName =
            masterWeights == .kahan ? "rounded-off parts of weights" : "fp32 master weights"
        let rule = demand.optimizer.rule(weightDecay: 0)
        let dtype = masterWeights == .float32 ? DType.float32 : demand.dtype
        for shape in demand.trained {
            moments += rule.parts(forShape: shape, dtype: dtype).reduce(0) {
                $0 + $1.shape.reduce(1, *) * $1.dtype.byteCount
            }
            switch masterWeights {
            case .none, .stochastic: break
            case .float32: companions += 4 * shape.reduce(1, *)
            case .kahan: companions += 2 * shape.reduce(1, *)
            }
        }
    }
}
