internal import FluxModels
public import Torch

/// How much memory each stage of a generation will need, told before anything is loaded.
///
/// Counted are activations and what is kept beside them; mapped weights cost no private memory, and
/// what weights take up on other devices is left to the caller.
public struct MemoryForecast: Hashable, Sendable {
    /// The stages in their order; those that have nothing to do are missing.
    public var stages: [StageMemory]

    /// The most that is needed at one time, in bytes.
    public var peak: Int { stages.map(\.bytes).max() ?? 0 }

    /// What a stage is expected to need; nil where it has nothing to do.
    public subscript(_ stage: StageMemory.Stage) -> StageMemory? {
        stages.first { $0.stage == stage }
    }

    /// Walks through the layers that a request would pass, without computing any.
    ///
    /// - Parameters:
    ///   - deviceKind: on others than the processor, tensors alone are counted; how much of that an
    ///     allocator there takes has not been measured.
    public init(_ demand: MemoryDemand, deviceKind: Device.Kind = .cpu) {
        var walk = StageWalk(demand, deviceKind)
        stages = walk.stages()
    }
}

/// The memory of one stage.
public struct StageMemory: Hashable, Sendable, Codable {
    /// The parts of a generation that need memory of their own.
    public enum Stage: String, Hashable, Sendable, Codable, CaseIterable {
        /// Prompts to features, pictures to latents, noise to latents, latents to pixels.
        case encode, pictures, denoise, decode
    }

    /// Which stage it is.
    public var stage: Stage
    /// Tensors at the worst moment, with the holes between them that the process keeps, in bytes.
    public var activations: Int
    /// What the process needs without any: libraries, kernels, tables, in bytes.
    public var base: Int
    /// Both together.
    public var bytes: Int { activations + base }
}
