#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The learning rate of each update.
public struct RateSchedule: Hashable, Sendable {
    /// How the rate goes on after the warm-up.
    public enum Shape: Hashable, Sendable {
        /// A third for the first five ticks, of which each update makes as many as there are
        /// processes; then the whole rate. That is PyTorch's `ConstantLR` with its defaults, as
        /// DiffSynth-Studio runs it, without a warm-up.
        case diffsynth(processes: Int)
        /// The same for all updates.
        case constant
        /// To 0 behind the last update, in equal steps.
        case linear
        /// To a share of the rate behind the last update, along half a wave.
        case cosine(floor: Double)
        /// To 0 along half a wave, so many times.
        case cosineWithRestarts(cycles: Int)
        /// To a share of the rate behind the last update: what is left of the way, to a power.
        case polynomial(power: Double, floor: Double)
    }

    /// How the rate goes on after the warm-up.
    public var shape: Shape
    /// The rate that others are shares of.
    public var rate: Double
    /// The updates by which the rate has grown from 0 to its whole, in equal steps.
    public var warmup: Int
    /// All updates, those of the warm-up among them.
    public var updates: Int

    /// Sets up a schedule; ``Shape/diffsynth(processes:)`` and ``Shape/constant`` need not know how
    /// many updates there will be.
    public init(_ shape: Shape, rate: Double, warmup: Int = 0, updates: Int = 0) {
        self.shape = shape
        self.rate = rate
        self.warmup = warmup
        self.updates = updates
    }

    /// The rate of an update, the first of which is 0.
    public func rate(ofUpdate update: Int) -> Double {
        if case .diffsynth(let processes) = shape {
            return diffsynthRate(ticks: update * max(1, processes))
        }
        if update < warmup { return rate * (Double(update + 1) / Double(warmup)) }
        return rate * share(after: progress(update))
    }

    /// PyTorch multiplies by a third and later by three, which does not give the same number again.
    private func diffsynthRate(ticks: Int) -> Double {
        let third = rate * (1.0 / 3)
        return ticks < 5 ? third : third * (1 / (1.0 / 3))
    }

    /// How much of the updates after the warm-up is over, 0 to 1.
    private func progress(_ update: Int) -> Double {
        min(1, Double(update - warmup) / Double(max(1, updates - warmup)))
    }

    private func share(after progress: Double) -> Double {
        switch shape {
        case .diffsynth, .constant: 1
        case .linear: 1 - progress
        case .cosine(let floor): floor + (1 - floor) * halfWave(progress)
        case .cosineWithRestarts(let cycles):
            progress < 1
                ? halfWave((Double(cycles) * progress).truncatingRemainder(dividingBy: 1)) : 0
        case .polynomial(let power, let floor): floor + (1 - floor) * pow(1 - progress, power)
        }
    }

    private func halfWave(_ progress: Double) -> Double { 0.5 * (1 + cos(.pi * progress)) }
}
