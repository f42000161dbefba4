internal import Domains
public import Flux2
internal import Torch

/// The noise levels that training draws from, with the weights of their losses.
///
/// - Source: `FlowMatchScheduler` with `training=True`, DiffSynth-Studio.
public struct NoiseLevels: Hashable, Sendable {
    /// 1000 levels, whatever the size of images.
    public let schedule: Schedule
    /// One weight per level; their mean is 1, that of the highest level 0.
    public let weights: [Float]

    /// Computes levels and weights.
    public init() throws {
        schedule = try Schedule(steps: 1000, shift: Schedule.trainingShift)
        weights = try schedule.trainingWeights()
    }

    /// A level as the loss uses it.
    public struct Level: Hashable, Sendable {
        /// 1000 σ as it was drawn.
        public var timestep: Float
        /// The share of noise.
        public var sigma: Float
        /// What the loss is multiplied with.
        public var weight: Float
    }

    /// The level of a number that was drawn.
    ///
    /// DiffSynth-Studio rounds the timestep to the type that is computed in, then takes σ and weight
    /// of the nearest timestep: in bfloat16 no more than 384 levels are used.
    ///
    /// - Parameter exactly: whether σ and weight are those of the number itself.
    public func level(_ number: Int, dtype: DType, exactly: Bool = false) throws -> Level {
        let drawn = schedule.timesteps[number]
        let timestep = try Tensor.from([drawn]).to(dtype: dtype).values(as: Float.self)[0]
        let place = exactly ? number : schedule.index(ofTimestep: timestep)
        return Level(
            timestep: timestep, sigma: schedule.sigmas[place], weight: weights[place])
    }

    /// The numbers between two boundaries, which are shares of the schedule.
    ///
    /// - Throws: `DataError` for boundaries that leave nothing.
    public static func range(_ extras: SampleExtras) throws -> Range<Int> {
        for value in [extras.minTimestepBoundary, extras.maxTimestepBoundary].compactMap(\.self)
        where !NumericField.minTimestepBoundary.domain.contains(value) {
            throw DataError(
                path: "timestep boundaries",
                reason: .unfit("must rise and lie between 0 and 1, not \(value)"))
        }
        let low = Int((extras.minTimestepBoundary ?? 0) * 1000)
        let high = Int((extras.maxTimestepBoundary ?? 1) * 1000)
        guard low >= 0, low < high, high <= 1000 else {
            throw DataError(
                path: "timestep boundaries",
                reason: .unfit("must rise and lie between 0 and 1, not \(low) to \(high) of 1000"))
        }
        return low..<high
    }
}
