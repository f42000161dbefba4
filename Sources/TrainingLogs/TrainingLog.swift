public import Imaging
internal import Foundation

/// A place that the course of a training is written to.
///
/// Each call has reached the file when it returns, so that a crash loses nothing before it.
public protocol TrainingLog: AnyObject, Sendable {
    /// Writes the values of a step.
    func write(_ entry: LogEntry) throws
    /// Adds an image; logs that hold only numbers leave it out.
    func add(_ image: LoggedImage) throws
    /// Ends the log. Later calls are errors, but for another `close`.
    func close() throws
}

extension TrainingLog {
    /// Does nothing.
    public func add(_ image: LoggedImage) throws {}
}

/// A number under the name that logs give it.
public struct LoggedValue: Hashable, Sendable {
    /// Such as `loss`; see ``LogName`` for those that reports draw.
    public var name: String
    /// Any number; infinities and NaN are written as the format can say them.
    public var value: Double

    /// Puts a name to a number.
    public init(_ name: String, _ value: Double) {
        self.name = name
        self.value = value
    }
}

/// Names of values that ``TrainingReport`` and ``LossChart`` know.
public enum LogName {
    /// The loss of a step.
    public static let loss = "loss"
    /// The loss on held-out data.
    public static let validationLoss = "validation_loss"
    /// The factor of the optimizer's steps.
    public static let learningRate = "learning_rate"
    /// The length of the gradient of all parameters, before clipping.
    public static let gradientNorm = "gradient_norm"
    /// Wall time of a step.
    public static let secondsPerStep = "seconds_per_step"
}

/// What is known of a step of training.
public struct LogEntry: Hashable, Sendable {
    /// Steps done, this one included.
    public var step: Int
    /// Seconds since 1970.
    public var time: Double
    /// Values in the order in which they are written.
    public var values: [LoggedValue]

    /// An entry; without a time it is of now.
    public init(step: Int, time: Double? = nil, values: [LoggedValue]) {
        self.step = step
        self.time = time ?? Date().timeIntervalSince1970
        self.values = values
    }

    /// An entry with values written out: `LogEntry(step: 1, ["loss": 0.5])`.
    public init(step: Int, time: Double? = nil, _ values: KeyValuePairs<String, Double>) {
        self.init(step: step, time: time, values: values.map { LoggedValue($0.key, $0.value) })
    }

    /// The value of a name; nil where the entry has none.
    public subscript(name: String) -> Double? {
        values.first { $0.name == name }?.value
    }
}

/// An image that the model under training made.
public struct LoggedImage: Hashable, Sendable {
    /// Steps done before it was made.
    public var step: Int
    /// Seconds since 1970.
    public var time: Double
    /// What tells it from others of its step; the prompt.
    public var name: String
    /// The image.
    public var image: Image
    /// What its file says besides, as ``SampleFiles`` writes it.
    public var metadata: [String: String] = [:]

    /// An image; without a time it is of now.
    public init(step: Int, time: Double? = nil, name: String, image: Image) {
        self.step = step
        self.time = time ?? Date().timeIntervalSince1970
        self.name = name
        self.image = image
    }
}
