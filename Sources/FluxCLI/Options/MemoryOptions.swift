import ArgumentParser
import Flux2
import FluxModels
import Torch

/// How much memory may be used, and how weights are kept.
struct MemoryOptions: ParsableArguments {
    @Option(
        help: """
            GiB of device memory to stay below; auto leaves half a GiB free, 0 takes the least \
            possible. Other weights are offloaded, and prefetched block by block. On the CPU: \
            private memory of this process.
            """)
    var vramLimit: Limit?

    @Option(
        help: """
            GiB of host memory to stay below, mapped weight files included. Weights that do not fit \
            are read from disk while they are used.
            """)
    var ramLimit: Double?

    @Flag(
        help: """
            Low-VRAM preset of DiffSynth-Studio: transformer and text encoder in float8, and \
            --vram-limit auto on a GPU.
            """)
    var lowVram = false

    @Option(
        help: """
            JSON file with offload_dtype … computation_device of DiffSynth-Studio, for all \
            components, or for transformer, text_encoder and vae.
            """, completion: .file())
    var vramConfig: String?

    @Option(
        help: """
            Quantization of weights; COMPONENT=FORMAT for one component, may be repeated. int8 is \
            int8-rotated where the processor multiplies integers, else int8-row; float8 is that of \
            DiffSynth-Studio.
            """)
    var weights: [Format] = []

    @Flag(
        help: """
            Rehearsal of a GPU on the CPU, which then has private device memory; needs \
            --vram-limit.
            """)
    var rehearse = false

    @Flag(
        help: """
            No cache of quantized weights: quantize in memory, and keep nothing. FLUX2_WEIGHT_CACHE \
            names its folder, or says off.
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
        settings.simulatesDevice = rehearse
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
            !QuantizedTensor.areMultipliedAsIntegers(on: device, in: dtype)
        else { return }
        let need = Kernel.int8.isUsed ? "bfloat16 or float32" : Kernel.int8.set.rawValue
        report.notice(
            "8-bit weights become \(dtype.name) before they are multiplied: multiplying "
                + "integers needs \(need)")
    }
}
