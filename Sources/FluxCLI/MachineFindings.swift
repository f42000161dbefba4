import FileSupport
import Flux2
import Foundation
import Torch

/// What `flux2 doctor` finds.
struct MachineFindings: Encodable {
    /// Bytes of a device.
    struct Memory: Encodable {
        var free: Int
        var total: Int

        init?(_ device: Device) {
            guard let memory = try? device.memory() else { return nil }
            (free, total) = (memory.free, memory.total)
        }
    }

    /// A device besides the processor.
    struct Accelerator: Encodable {
        var device: String
        var memory: Memory?
    }

    /// A computation whose result is known.
    struct Test: Encodable {
        var name: String
        var failure: String?

        init(_ test: SelfTest) { (name, failure) = (test.name, test.failure) }

        var line: String {
            "self-test   \(failure.map { "FAILED: " + $0 } ?? "passed"): \(name)"
        }
    }

    var version = Version.current
    var libtorch = Runtime.version
    var libraryFolder = Runtime.libraryFolder
    var capability = Runtime.cpuCapability
    var threads = Runtime.threads
    var waiting = Self.waiting()
    var kernels = KernelSet.current.rawValue
    /// What computes each operation that there is a kernel for.
    var operations = Dictionary(
        uniqueKeysWithValues: Kernel.allCases.map { ($0.rawValue, $0.computer) })
    var processor = Self.features()
    /// What `--dtype auto` is.
    var dtypeAuto = DTypeChoice.auto.resolved(on: .cpu).0.name
    var memory = Memory(.cpu)
    var diskFreeBytes = try? DiskSpace.free(at: FileManager.default.currentDirectoryPath)
    /// Why there is no CUDA; nil where there is.
    var cudaObstacle = Runtime.loadCUDA()
    var accelerators: [Accelerator] = []
    var selfTests: [Test] = []

    init() {
        guard cudaObstacle == nil else { return }
        accelerators = (0..<Runtime.cudaDeviceCount).map { index in
            let device = Device(.cuda, index: index)
            return Accelerator(device: device.description, memory: Memory(device))
        }
    }

    /// The processor features that matter for speed.
    private static func features() -> [String] {
        let wanted = [
            "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8",
        ]
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("flags") } ?? ""
        let flags = Set(line.split(separator: " ").map(String.init))
        return wanted.filter(flags.contains)
    }

    /// How threads wait for each other, which the environment says to libgomp.
    private static func waiting() -> String {
        let environment = ProcessInfo.processInfo.environment
        if let count = environment["GOMP_SPINCOUNT"], !count.isEmpty {
            return "GOMP_SPINCOUNT=\(count)"
        }
        guard let policy = environment["OMP_WAIT_POLICY"], !policy.isEmpty else {
            return "waiting as libtorch does"
        }
        return "waiting \(policy == "passive" ? "passively" : "as OMP_WAIT_POLICY=\(policy)")"
    }
}

// MARK: For people

extension MachineFindings {
    /// All but the self-tests.
    var text: String {
        (engine + Kernel.allCases.map(Self.line) + place + devices).joined(separator: "\n")
    }

    private var engine: [String] {
        [
            "flux2       \(version)",
            "engine      libtorch \(libtorch) in \(libraryFolder ?? "?")",
            "            \(capability), \(threads) threads, \(waiting)",
            "kernels     \(kernels), for bfloat16 and int8 without gradients",
        ]
    }

    private var place: [String] {
        let known = processor.isEmpty ? ["no known vector extensions"] : processor
        return [
            "processor   \(known.joined(separator: " "))", "dtype auto  \(dtypeAuto) on cpu",
            "memory      \(Self.words(memory))",
            "disk here   \(diskFreeBytes.map { Terminal.bytes($0) + " free" } ?? "unknown")",
        ]
    }

    private var devices: [String] {
        if let cudaObstacle { return ["cuda        not used: \(cudaObstacle)"] }
        return accelerators.map { "\($0.device)      \(Self.words($0.memory))" }
    }

    private static func line(_ kernel: Kernel) -> String {
        let name = kernel.rawValue.padding(toLength: 12, withPad: " ", startingAt: 0)
        return "            \(name)\(kernel.computer)"
    }

    private static func words(_ memory: Memory?) -> String {
        guard let memory else { return "unknown" }
        return "\(Terminal.bytes(memory.free)) free of \(Terminal.bytes(memory.total))"
    }
}

extension Kernel {
    /// What computes the operation.
    fileprivate var computer: String { isUsed ? set.rawValue : instead }

    private var instead: String {
        switch self {
        case .int8: "libtorch, with weights converted to the compute type"
        case .winograd where Kernel.convolution.isUsed: "as all convolutions"
        default: "libtorch"
        }
    }
}
