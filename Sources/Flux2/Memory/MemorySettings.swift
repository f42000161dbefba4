public import FluxModels

/// What memory a model may take, and how its weights are kept.
public struct MemorySettings: Hashable, Sendable {
    /// The most that may be used of the device, in bytes; nil is what is free. On the CPU that is
    /// memory of this process alone, which mapped weights are no part of.
    public var deviceLimit: Int?
    /// The most memory of the host that may be used, mapped weights included, in bytes; nil is what
    /// is free.
    public var hostLimit: Int?
    /// Types and places by component; the others are kept as their files have them, on the device as
    /// far as there is room.
    public var storage: [Component: StageStorage] = [:]
    /// Whether the CPU is treated as a device with memory of its own, which weights are copied to.
    /// Costs time and memory; shows on any machine what happens on a GPU.
    public var rehearses = false

    /// All memory that is free.
    public init() {}

    /// Whether somebody has said anything about memory.
    public var isManaged: Bool { self != MemorySettings() }
}
