import ArgumentParser
import Flux2
import FluxModels
import Torch

/// How much memory may be used, and how weights are kept.
struct MemoryOptions: ParsableArguments {
    @Option(
        help: """
            GiB of the device's memory to stay below, or auto: all of it but half a GiB; 0 is as \
            little as can be. What does not fit comes while it is used. On the CPU: memory of this \
            process alone.
            """)
    var vramLimit: Limit?

    @Option(
        help: """
            GiB of the host's memory to stay below, weights in their files included; those that do \
            not fit are read while they are used.
            """)
    var ramLimit: Double?

    @Flag(
        help: """
            DiffSynth's low-VRAM configuration: transformer and text encoder in 8-bit floats, \
            --vram-limit auto on a GPU.
            """)
    var lowVram = false

    @Option(
        help: """
            A JSON file with DiffSynth's offload_dtype … computation_device, for all parts or by \
            transformer, text_encoder and vae.
            """, completion: .file())
    var vramConfig: String?

    @Option(
        help: """
            How weights are kept: stored, float8 (as DiffSynth), float8-tensor, float8-row, int8, \
            int8-row, int8-group or int8-rotated; PART=FORMAT for one part. May be given several \
            times. int8 is int8-rotated where the processor multiplies integers with it, else \
            int8-row.
            """)
    var weights: [Format] = []

    @Flag(
        help: """
            Treat the CPU as a device with memory of its own, which weights are copied to: what \
            happens on a GPU, on any machine.
            """)
    var rehearse = false

    @Flag(
        help: """
            Bring weights into 8 bits anew, in memory, and keep nothing. FLUX2_WEIGHT_CACHE names \
            the folder where such weights are kept, or says off.
            """)
    var noWeightCache = false

    /// A number of GiB, or what the device has.
    enum Limit: ExpressibleByArgument {
        case auto
        case gib(Double)

        init?(argument: String) {
            if argument == "auto" {
                self = .auto
            } else if let value = Double(argument) {
                self = .gib(value)
            } else {
                return nil
            }
        }
    }

    /// A way to keep weights, for one part or for the two large ones.
    struct Format: ExpressibleByArgument {
        var component: Component?
        var storage: WeightStorage
        /// Whether it is `int8`, which depends on what computes.
        var isFastest: Bool

        init?(argument: String) {
            let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
            guard let name = parts.last, let storage = WeightStorage(name: name) else {
                return nil
            }
            self.storage = storage
            isFastest = name == "int8"
            guard parts.count == 2 else { return }
            guard let component = Component(rawValue: parts[0]), component != .autoencoder else {
                return nil
            }
            self.component = component
        }

        static var allValueStrings: [String] { WeightStorage.names + ["int8-row"] }

        /// What it means for what computes.
        func resolved(on device: Device, _ dtype: DType) -> WeightStorage {
            isFastest ? .int8(on: device, computingIn: dtype) : storage
        }
    }

    /// Whether anything is said of how weights are kept.
    var saysHowWeightsAreKept: Bool { lowVram || vramConfig != nil || !weights.isEmpty }

    func validate() throws {
        let ways = [lowVram, vramConfig != nil, !weights.isEmpty].count { $0 }
        guard ways <= 1 else {
            throw ValidationError("give one of --low-vram, --vram-config and --weights")
        }
        if rehearse, vramLimit == nil {
            throw ValidationError("--rehearse needs --vram-limit")
        }
    }

    /// What is asked for, on the device that is computed on; says where integers are not multiplied
    /// although they might be.
    func settings(
        _ device: Device, _ dtype: DType, _ report: Reporter
    ) throws -> MemorySettings {
        var settings = MemorySettings()
        if lowVram {
            settings = try .lowVRAM(device: device, dtype: dtype)
        } else if let vramConfig {
            let found = try StageStorage.read(vramConfig, dtype: dtype, device: device)
            settings = try MemorySettings(
                found.components, limit: found.limit, device: device, dtype: dtype)
        }
        for format in weights {
            for part in format.component.map({ [$0] }) ?? [.transformer, .textEncoder] {
                settings.storage[part] = format.resolved(on: device, dtype)
            }
        }
        tellOfIntegers(device, dtype, report)
        switch vramLimit {
        case nil: break
        case .gib(let value):
            settings.deviceLimit = try MemorySettings.bytes(gib: value, "vram-limit")
        case .auto:
            settings.deviceLimit = try MemorySettings.automaticLimit(device)
        }
        settings.hostLimit = try ramLimit.map {
            try MemorySettings.bytes(gib: $0, "ram-limit")
        }
        settings.rehearses = rehearse
        if rehearse, device.kind != .cpu {
            throw ValidationError("--rehearse is for the CPU, not for \(device)")
        }
        return settings
    }

    /// Says why integers are not multiplied on a processor, where that was meant.
    private func tellOfIntegers(_ device: Device, _ dtype: DType, _ report: Reporter) {
        let areMeant = weights.contains {
            $0.isFastest || $0.storage == .matrices(.int8Rotated)
        }
        guard areMeant, device.kind == .cpu,
            !PackedWeight.areMultipliedAsIntegers(on: device, in: dtype)
        else { return }
        let need = Kernel.int8.isUsed ? "bfloat16 or float32" : Kernel.int8.set.rawValue
        report.notice(
            "weights of 8 bits become \(dtype.name) before they are multiplied: multiplying "
                + "integers needs \(need)")
    }
}
