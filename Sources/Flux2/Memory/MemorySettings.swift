internal import Domains
public import FluxModels
public import Torch

/// What memory a model may take, and how its weights are kept.
public struct MemorySettings: Hashable, Sendable {
    /// The most that may be used of the device, in bytes; nil is what is free, 0 is as little as can
    /// be. On the CPU that is memory of this process alone, which mapped weights are no part of.
    public var deviceLimit: Int?
    /// The most memory of the host that may be used, mapped weights included, in bytes; nil is what
    /// is free.
    public var hostLimit: Int?
    /// How weights are kept, by component; the others are kept as their files have them.
    public var storage: [Component: WeightStorage] = [:]
    /// Whether the CPU is treated as a device with memory of its own, which weights are copied to.
    /// Costs time and memory; shows on any machine what happens on a GPU.
    public var simulatesDevice = false

    /// What stages may use of the device in which more turned out to be too much, in bytes.
    var lowered: [String: Int] = [:]

    /// All memory that is free.
    public init() {}

    /// Whether no more of the device is used than weights need one after the other, whatever is free.
    var usesLeast: Bool { deviceLimit == 0 }

    /// What DiffSynth-Studio's values come to.
    ///
    /// - Parameters:
    ///   - stages: by component; those that are not given are kept as their files have them.
    ///   - limit: GiB of the device's memory to stay below; nil is what is free.
    /// - Throws: `RequestError` for values that cannot be done as they say.
    public init(
        _ stages: [Component: StageStorage], limit: Double? = nil, device: Device, dtype: DType
    ) throws {
        for (component, stage) in stages {
            try stage.check(component.rawValue, on: device, in: dtype)
            if stage.isFloat8 { storage[component] = .float8 }
        }
        deviceLimit = try limit.map { try Self.bytes(gib: $0, "vram_limit") }
    }

    /// DiffSynth-Studio's low-VRAM configuration of the FLUX.2 models: transformer and text encoder in
    /// 8-bit floats; on a GPU below ``automaticLimit(_:)``.
    ///
    /// - Throws: `DeviceError` for a GPU that does not answer.
    public static func lowVRAM(device: Device, dtype: DType) throws -> MemorySettings {
        let stages = StageStorage.lowVRAM(dtype: dtype, device: device)
        var settings = try MemorySettings(
            [.transformer: stages, .textEncoder: stages], device: device, dtype: dtype)
        if device.kind != .cpu { settings.deviceLimit = try automaticLimit(device) }
        return settings
    }

    /// So many GiB in bytes.
    ///
    /// - Throws: `RequestError` naming the setting, for what is no amount of memory.
    public static func bytes(gib: Double, _ setting: String) throws -> Int {
        guard NumericSetting.vramLimit.domain.contains(gib) else {
            throw RequestError(
                setting: setting, expected: "a number from 0 to 1048576 GiB", found: "\(gib)")
        }
        return Int(gib * Double(1 << 30))
    }

    /// The same with limits in GiB, where these are given.
    ///
    /// - Throws: `RequestError` for what is no amount of memory.
    func limited(vram: Double?, ram: Double?) throws -> MemorySettings {
        var settings = self
        if let vram { settings.deviceLimit = try Self.bytes(gib: vram, "vramLimit") }
        if let ram { settings.hostLimit = try Self.bytes(gib: ram, "ramLimit") }
        return settings
    }

    /// All memory of a device but half a GiB, as DiffSynth-Studio's examples have it, in bytes.
    public static func automaticLimit(_ device: Device) throws -> Int {
        try device.prepare()
        return max(0, try device.memory().total - (1 << 29))
    }
}
