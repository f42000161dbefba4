public import FluxModels

/// What a model's folder was made of.
public struct AssemblyReport: Hashable, Sendable {
    /// How much came from a file.
    public struct Source: Hashable, Sendable {
        /// The checkpoint or LoRA.
        public var path: String
        /// The weights that it gave, or changed.
        public var weights: Int
    }

    /// What became of a component.
    public struct Part: Hashable, Sendable {
        /// Which one it is.
        public var component: Component
        /// The weights that images are made with.
        public var weights: Int
        /// The checkpoints that weights were taken from, in the order in which they were given.
        public var taken: [Source]
        /// The LoRAs that were folded in.
        public var folded: [Source]
        /// Bytes of its files.
        public var bytes: Int
    }

    /// The components that an image is made with.
    public var parts: [Part] = []
    /// Bytes of all files.
    public var bytes = 0
}
