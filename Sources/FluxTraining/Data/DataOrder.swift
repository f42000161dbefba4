internal import Torch

/// In which order the samples of an epoch are used, and by which process.
///
/// One order is shared by all processes: process p takes places p, p + N, …; the end is filled up
/// from the beginning, so that all take the same number of steps.
///
/// - Source: `RandomSampler`, PyTorch; `BatchSamplerShard`, accelerate.
public struct DataOrder: Hashable, Sendable {
    /// Different samples.
    public var count: Int
    /// How often each comes in an epoch.
    public var repeats: Int
    /// What the order of every epoch follows from.
    public var seed: UInt64
    /// Whether samples change places at all.
    public var shuffles: Bool

    /// Describes the order of all epochs.
    public init(count: Int, repeats: Int = 1, seed: UInt64, shuffles: Bool = true) {
        self.count = count
        self.repeats = repeats
        self.seed = seed
        self.shuffles = shuffles
    }

    /// The most samples that an epoch is put in order for.
    private static let longest = 1 << 25

    /// So many samples, so often each.
    ///
    /// - Throws: `TrainingError` for more than an epoch can have.
    static func length(_ count: Int, _ repeats: Int) throws -> Int {
        let (length, overflows) = count.multipliedReportingOverflow(by: repeats)
        guard !overflows, (0...longest).contains(length) else {
            throw TrainingError(
                reason: .unfit(
                    "--dataset_repeat must be at most \(longest / max(1, count)) for \(count) "
                        + "samples, not \(repeats)"))
        }
        return length
    }

    /// The samples of an epoch, by number.
    ///
    /// - Parameter given: what the order follows from; nil takes the seed and the epoch.
    public func samples(epoch: Int, seed given: UInt64? = nil) throws -> [Int] {
        let length = try Self.length(count, repeats)
        guard shuffles else { return (0..<length).map { $0 % count } }
        let generator = try Generator(seed: given ?? SeedSequence.seed(seed, UInt64(epoch), 1))
        return try Tensor.randperm(length, generator: generator).values(as: Int64.self)
            .map { Int($0) % count }
    }

    /// One process's samples, with their places in the whole epoch.
    public static func share(
        _ samples: [Int], rank: Int, of processes: Int
    ) -> [(place: Int, sample: Int)] {
        let steps = (samples.count + processes - 1) / processes
        return (0..<steps).map { step in
            let place = step * processes + rank
            return (place, samples[place % samples.count])
        }
    }
}

/// Numbers that follow from others and look random.
enum SeedSequence {
    /// One seed from several numbers (SplitMix64's finalizer over each).
    static func seed(_ values: UInt64...) -> UInt64 {
        values.reduce(0x9E37_79B9_7F4A_7C15) { state, value in
            var z = state &+ value &+ 0x9E37_79B9_7F4A_7C15
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }
}
