public import ArgumentParser
import Flux2
public import Torch

/// On what, in which type and with how many threads to compute.
struct ComputeOptions: ParsableArguments {
    @Option(help: "cpu, cuda, cuda:1, … or mps.")
    var device = Device.cpu

    @Option(help: "auto, bfloat16, float16 or float32; auto takes bfloat16 where it is native.")
    var dtype = Precision.auto

    @Option(help: "Processor threads; libtorch's own choice when absent.")
    var threads: Int?

    func validate() throws {
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads must be 1 to 1024, not \(threads)")
        }
    }
}

extension Device: ExpressibleByArgument {
    public init?(argument: String) { self.init(name: argument) }
}

/// The type that everything is computed in.
enum Precision: ExpressibleByArgument {
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
