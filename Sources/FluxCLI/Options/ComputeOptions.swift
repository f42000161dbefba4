public import ArgumentParser
import Flux2
public import Torch

/// On what, in which type and with how many threads to compute.
struct ComputeOptions: ParsableArguments {
    @Option(help: "Device: auto, cpu, cuda, cuda:1, … or mps; auto takes cuda where it works.")
    var device = DeviceChoice.auto

    @Option(help: "Type to compute in; auto takes bfloat16 where it is native.")
    var dtype = DTypeChoice.auto

    @OptionGroup var processor: ThreadOptions

    @OptionGroup var kernels: KernelOptions

    @Flag(
        help: """
            No cache of prompt embeddings: neither read nor written. FLUX2_PROMPT_CACHE names its \
            folder, or says off.
            """)
    var noPromptCache = false
}

/// The same where an image says what it was computed on and in.
struct SameComputeOptions: ParsableArguments {
    @Option(help: "Device: auto, cpu, cuda, …. Default: that of the image.")
    var device: DeviceChoice?

    @Option(help: "Type to compute in. Default: that of the image.")
    var dtype: DTypeChoice?

    @OptionGroup var processor: ThreadOptions

    @OptionGroup var kernels: KernelOptions
}

extension ComputeOptions {
    /// What is computed on and in; says what was chosen without being asked for.
    func resolved(_ report: Reporter) -> (Device, DType) {
        kernels.apply()
        let (device, obstacle) = device.resolved()
        if let obstacle { report.notice("computing on \(device): \(obstacle)") }
        if device.kind != .cpu, kernels.kernels != .auto {
            report.warn("--kernels has no effect on \(device)")
        }
        let (dtype, reason) = dtype.resolved(on: device)
        if let reason { report.notice("computing in \(dtype.name): \(reason)") }
        return (device, dtype)
    }
}

extension Device: ExpressibleByArgument {
    public init?(argument: String) { self.init(name: argument) }
}

/// Where everything is computed.
enum DeviceChoice: ExpressibleByArgument {
    case auto
    case fixed(Device)

    init?(argument: String) {
        if argument == "auto" {
            self = .auto
        } else if let device = Device(name: argument) {
            self = .fixed(device)
        } else {
            return nil
        }
    }

    var defaultValueDescription: String {
        switch self {
        case .auto: "auto"
        case .fixed(let device): device.description
        }
    }

    /// The device to use, and why if that may surprise.
    func resolved() -> (Device, reason: String?) {
        if case .fixed(let device) = self { return (device, nil) }
        let (device, obstacle) = Device.automatic()
        return (device, obstacle)
    }
}

/// The type that everything is computed in.
enum DTypeChoice: ExpressibleByArgument {
    case auto
    case fixed(DType)

    init?(argument: String) {
        if argument == "auto" {
            self = .auto
            return
        }
        guard let dtype = DType(name: argument),
            [.bfloat16, .float16, .float32].contains(dtype)
        else { return nil }
        self = .fixed(dtype)
    }

    var defaultValueDescription: String {
        switch self {
        case .auto: "auto"
        case .fixed(let dtype): dtype.name
        }
    }

    static var allValueStrings: [String] { ["auto", "bfloat16", "float16", "float32"] }

    /// The type to use, and why if it was not asked for.
    func resolved(on device: Device) -> (DType, reason: String?) {
        switch self {
        case .fixed(let dtype): return (dtype, nil)
        case .auto where device.kind != .cpu: return (.bfloat16, "native on \(device)")
        case .auto where Runtime.cpuHasBFloat16:
            return (.bfloat16, "native on this processor")
        case .auto: return (.float32, "this processor has no native bfloat16")
        }
    }
}
