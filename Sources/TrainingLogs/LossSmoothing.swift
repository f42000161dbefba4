/// A loss made readable: the mean of those before it.
///
/// Losses that are infinite or NaN are left out, or they would hide all that follow.
public struct LossSmoothing: Hashable, Sendable {
    /// How losses are weighed.
    public enum Method: Hashable, Sendable {
        /// The mean of the last so many, at least one.
        case window(Int)
        /// Each counts `factor` times as much as the one after it; 0 to below 1.
        case exponential(factor: Double)
    }

    /// How losses are weighed.
    public let method: Method
    /// The smoothed loss; nil before the first.
    public private(set) var value: Double?

    private var recent: [Double] = []
    private var oldest = 0
    private var sum = 0.0
    private var weight = 0.0

    /// Begins without losses.
    public init(_ method: Method) {
        switch method {
        case .window(let count): precondition(count > 0, "a window holds at least one loss")
        case .exponential(let factor):
            precondition((0..<1).contains(factor), "a factor is from 0 to below 1")
        }
        self.method = method
    }

    /// Takes a loss; returns the smoothed one.
    @discardableResult
    public mutating func add(_ loss: Double) -> Double? {
        guard loss.isFinite else { return value }
        switch method {
        case .window(let count): slide(loss, count)
        case .exponential(let factor):
            // Dividing by the weights so far takes away the pull of a beginning at zero.
            sum = factor * sum + (1 - factor) * loss
            weight = factor * weight + (1 - factor)
            value = sum / weight
        }
        return value
    }

    private mutating func slide(_ loss: Double, _ count: Int) {
        if recent.count < count {
            recent.append(loss)
        } else {
            recent[oldest] = loss
            oldest = (oldest + 1) % count
        }
        // Summed anew, so that errors of rounding do not gather over a long training.
        value = recent.reduce(0, +) / Double(recent.count)
    }
}
