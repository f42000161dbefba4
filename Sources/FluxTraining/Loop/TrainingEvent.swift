public import Imaging

/// What a training run tells while it goes on.
public enum TrainingEvent: Sendable {
    /// What will be done, known before the first step.
    case begun(TrainingOutline)
    /// A sample has been encoded; of `:data_process`, and before the first use otherwise.
    case encoded(done: Int, of: Int)
    /// The sizes of images are being read, to put equal ones together.
    case readSizes(done: Int, of: Int)
    /// A micro-step is done.
    case step(StepReport)
    /// A file has been written.
    case saved(path: String)
    /// The mean loss of the samples that are held out.
    case validated(step: Int, loss: Double)
    /// An image has been made and written.
    case sampled(step: Int, prompt: String, image: Image, path: String)
    /// A run goes on from here.
    case resumed(step: Int, path: String)
    /// Something that users should know and that stops nothing.
    case warned(String)
}

/// What a run will do.
public struct TrainingOutline: Hashable, Sendable {
    /// Different samples.
    public var samples: Int
    /// Micro-steps of this process in all epochs.
    public var steps: Int
    /// Updates in all epochs.
    public var updates: Int
    /// Values that are trained.
    public var trained: Int
    /// Their tensors.
    public var tensors: Int
    /// Bytes that the optimizer keeps on this process.
    public var stateBytes: Int
    /// Processes that work together.
    public var processes: Int
}

/// The result of one micro-step.
public struct StepReport: Hashable, Sendable {
    /// Micro-steps since the start, this one included.
    public var step: Int
    /// The epoch, from 0.
    public var epoch: Int
    /// The loss of this process's micro-batch.
    public var loss: Double
    /// The learning rate of the update, where one was made.
    public var rate: Double?
    /// The norm of all gradients before clipping, where an update was made.
    public var gradientNorm: Double?
    /// Wall time.
    public var seconds: Double
}
