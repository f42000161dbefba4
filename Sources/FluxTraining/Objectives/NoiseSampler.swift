public import Torch

/// In which order random numbers are drawn.
public enum RandomOrder: String, Hashable, Sendable, CaseIterable {
    /// Each sample has numbers of its own, which follow from the seed, the epoch and the sample's
    /// place in it: the same on any number of processes, and whatever came before.
    case sample
    /// One after the other from one generator, as PyTorch does after `manual_seed`.
    case torch
}

/// Samples noise levels and noise.
public final class NoiseSampler {
    /// How numbers follow from the seed.
    public let order: RandomOrder
    private let seed: UInt64
    private let device: Device
    /// Draws levels, always on the processor.
    private var levels: Generator
    /// Draws noise, on the device.
    private var noise: Generator

    /// Draws from the start.
    ///
    /// - Parameter device: where noise is drawn; another kind of device draws other numbers.
    public init(seed: UInt64, order: RandomOrder = .sample, device: Device = .cpu) throws {
        self.order = order
        self.seed = seed
        self.device = device
        levels = try Generator(seed: seed)
        noise = device.kind == .cpu ? levels : try Generator(seed: seed, device: device)
    }

    /// Goes to the numbers of a sample, if each has its own.
    ///
    /// - Parameter place: the sample's place in the epoch, over all processes.
    public func begin(epoch: Int, place: Int) throws {
        guard order == .sample else { return }
        let own = SeedSequence.seed(seed, UInt64(epoch), UInt64(place), 2)
        levels = try Generator(seed: own)
        noise = device.kind == .cpu ? levels : try Generator(seed: own, device: device)
    }

    /// One of the numbers of a range.
    public func level(_ range: Range<Int>) throws -> Int {
        Int(try Tensor.randint(range, [1], generator: levels).item())
    }

    /// Normal noise for the tokens of a grid, in the order in which the grid lies in memory.
    ///
    /// - Shapes: [1, C, h, w] → [1, h·w, C].
    public func noise(forTokensOf grid: Tensor) throws -> Tensor {
        let tokens = try grid.reshaped([grid.size(0), grid.size(1), -1]).transposed(1, 2)
        return try .randn(like: tokens, generator: noise)
    }

    /// The noise that DiffSynth-Studio draws for every sample before anything else.
    ///
    /// - Shapes: [1, C, h, w] → the same.
    func initialNoise(like grid: Tensor) throws -> Tensor {
        try .randn(grid.shape, generator: noise, dtype: grid.dtype)
    }

    /// Draws it where what follows depends on that; flow matching does not use it.
    func passInitialNoise(like grid: Tensor) throws {
        if order == .torch { _ = try initialNoise(like: grid) }
    }

    /// The seed of an epoch's order; nil where that follows from the run's own.
    ///
    /// PyTorch's loader draws two numbers: one for its workers, then one for the order.
    func orderSeed() throws -> UInt64? {
        guard order == .torch else { return nil }
        _ = try levels.integer()
        return UInt64(bitPattern: try levels.integer())
    }

    /// Noise of one seed, which disturbs nothing else.
    ///
    /// - Parameter randomDevice: where it is drawn.
    public static func noise(
        seed: UInt64, like grid: Tensor, randomDevice: Device
    ) throws -> Tensor {
        try randomDevice.prepare()
        return try .randn(
            grid.shape, generator: Generator(seed: seed, device: randomDevice), dtype: grid.dtype
        ).to(device: grid.device)
    }

    // MARK: Resuming

    /// The state of the generators, as bytes; nothing where each sample has its own numbers.
    public func state() throws -> [String: [UInt8]] {
        guard order == .torch else { return [:] }
        var state = ["levels": try levels.state()]
        if device.kind != .cpu { state["noise"] = try noise.state() }
        return state
    }

    /// Continues where `state()` was asked.
    public func restore(_ state: [String: [UInt8]]) throws {
        if let bytes = state["levels"] { try levels.restore(bytes) }
        if device.kind != .cpu, let bytes = state["noise"] { try noise.restore(bytes) }
    }
}
