public import Flux2
public import FluxModels

/// The files of the components that a training task has been given; it may need only some of them.
public struct TrainingFiles: Hashable, Sendable {
    /// Weights by component.
    public var weights: [Component: [String]] = [:]
    /// How weights that are not trained are kept.
    public var storage: [Component: WeightStorage] = [:]
    /// Matrices that are kept as stored all the same, by ends of their names.
    public var keptAsStored: [Component: [String]] = [:]
    /// Parts that are not on this machine, of which only a plan can be made.
    package var absent: [Component: Variant] = [:]
    /// A folder with `tokenizer.json`.
    public var tokenizer: String?
    /// Text tokens that captions are cut or padded to.
    public var textLength = 512
    /// Whether the transformer was distilled to few steps.
    public var distillation = Distillation.none
    /// The area in pixels that images which prompts refer to are resized to.
    public var referenceArea = 1024 * 1024

    /// No component yet.
    public init() {}

    /// The components of a model's folder.
    public init(_ files: ModelFiles) {
        weights = [
            .transformer: files.transformer, .textEncoder: files.textEncoder,
            .autoencoder: files.autoencoder,
        ]
        tokenizer = files.tokenizer
        absent = files.absent
        textLength = files.textLength
        distillation = files.distillation
        referenceArea = files.referenceArea
    }
}
