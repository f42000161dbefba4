internal import FluxModels
public import Torch

/// How much memory each stage of a generation will need, told before anything is loaded.
///
/// Counted are activations and what is kept beside them; mapped weights cost no private memory, and
/// what weights take up on other devices is left to the caller.
public struct MemoryEstimate: Hashable, Sendable {
    /// The stages in their order; those that have nothing to do are missing.
    public var stages: [StageMemory]

    /// The most that is needed at one time, in bytes.
    public var peak: Int { stages.map(\.bytes).max() ?? 0 }

    /// What a stage is expected to need; nil where it has nothing to do.
    public subscript(_ stage: StageMemory.Stage) -> StageMemory? {
        stages.first { $0.stage == stage }
    }

    /// Runs the stages that a request would pass without computing anything.
    ///
    /// - Parameters:
    ///   - deviceKind: on others than the processor, tensors alone are counted; how much of that an
    ///     allocator there takes has not been measured.
    ///   - allocator: what gives out the processor's memory.
    /// - Throws: `TorchError`.
    public init(
        _ demand: MemoryEstimateInput, deviceKind: Device.Kind = .cpu,
        allocator: HostAllocator = .pooled
    ) throws {
        try self.init(demand, deviceKind: deviceKind, allocator: allocator, adapters: .init())
    }

    init(
        _ demand: MemoryEstimateInput, deviceKind: Device.Kind, allocator: HostAllocator,
        adapters: MetaAdapters
    ) throws {
        var run = try MetaRun(demand, deviceKind, allocator, adapters)
        stages = try run.stages()
    }
}

/// What gives out memory for tensors on the processor.
public enum HostAllocator: Hashable, Sendable {
    /// The pool that ``Torch/HostMemory/installPool()`` installs, as the program does.
    case pooled
    /// The C library's, which libtorch has by itself. What it holds scatters, the same request by
    /// up to 1.4: this is a guess on the side of too much.
    case system

    /// The one that this process has now.
    public static var current: HostAllocator { HostMemory.pool == nil ? .system : .pooled }

    /// What the C library holds over what the pool would: 1.3 to 2.0 over thirteen requests with
    /// klein-4B's shapes (glibc 2.36).
    var scatter: Double { self == .system ? 1.75 : 1 }
}

/// The memory of one stage.
public struct StageMemory: Hashable, Sendable, Codable {
    /// The parts of a generation that need private memory.
    public enum Stage: String, Hashable, Sendable, Codable, CaseIterable {
        /// Prompts to prompt embeddings.
        case encode
        /// Input and reference images to latents.
        case images = "pictures"
        /// Noise to latents.
        case denoise
        /// Latents to pixels.
        case decode
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
