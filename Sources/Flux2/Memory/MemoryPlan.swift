/// Where everything of a generation will be, worked out before anything is loaded.
///
/// Sizes are in bytes. On the CPU, "device" is memory of this process alone; weights that are shown
/// from their files count as "mapped".
public struct MemoryPlan: Hashable, Sendable, Codable {
    /// The device by name.
    public var device: String
    /// What may be used of the device.
    public var deviceBudget: Int
    /// What may be used of the host's memory, mapped weights included.
    public var hostBudget: Int
    /// In the order of their run.
    public var stages: [StagePlan]
    /// The model's parts.
    public var components: [ComponentPlan]
    /// Whether images pass the autoencoder in strips because there is no room for them whole.
    public var usesStrips = false
    /// Whether the first weights of the transformer are read while prompts are still being encoded.
    public var readsAhead = false
    /// Whether all parts stay on the device together.
    public var keepsAll = false

    /// The most that will be used of the device.
    public var peak: Int { stages.map(\.total).max() ?? 0 }

    /// What one stage takes of the device.
    public struct StagePlan: Hashable, Sendable, Codable {
        /// `encode`, `pictures`, `denoise` or `decode`.
        public var name: String
        /// The process itself; nothing on a GPU.
        public var base = 0
        /// What is computed, from the first layer to the last.
        public var activations = 0
        /// Weights that are there all the time.
        public var weights = 0
        /// Places for weights that come and go.
        public var slots = 0
        /// 8-bit weights while they are used.
        public var scratch = 0
        /// Changes by LoRA files.
        public var loras = 0
        /// Mapped weights whose pages stay in the host's memory.
        public var mapped = 0

        /// All of it but what is mapped.
        public var total: Int { base + activations + weights + slots + scratch + loras }
    }

    /// Where the weights of one part are.
    public struct ComponentPlan: Hashable, Sendable, Codable {
        /// Which part.
        public var name: String
        /// How its weights are stored: a type's name.
        public var format: String
        /// All its weights.
        public var bytes: Int
        /// Weights that stay where they are used.
        public var resident: Int
        /// Weights that come for each evaluation.
        public var streamed: Int
        /// Where they come from: `disk` or `host`; nil when none do.
        public var source: String?
        /// Evaluations in this generation.
        public var passes: Int
        /// Groups of weights in order, whether each stays.
        public var units: [Unit]

        /// A group of weights that are used together.
        public struct Unit: Hashable, Sendable, Codable {
            /// The group's name.
            public var name: String
            /// Its size.
            public var bytes: Int
            /// Whether it stays.
            public var stays: Bool
        }
    }
}

/// A generation that does not fit.
public struct MemoryError: Error, Hashable, CustomStringConvertible {
    /// Where, as a stage's name.
    public var stage: String
    /// Which memory: a device's name, or `host`.
    public var place: String
    /// Bytes at least.
    public var needed: Int
    /// Bytes at most.
    public var available: Int
    /// What would fit, in words; nil when nothing was found.
    public var proposal: String?

    public var description: String {
        let gib = { (bytes: Int) in
            let hundredths = (bytes * 100 + (1 << 29)) >> 30
            let tail = hundredths % 100
            return "\(hundredths / 100).\(tail < 10 ? "0" : "")\(tail) GiB"
        }
        let tail = proposal.map { "; it fits with \($0)" } ?? ""
        return "not enough memory on \(place): \(stage) needs at least \(gib(needed)), there are "
            + "\(gib(available))\(tail)"
    }
}
