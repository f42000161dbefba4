import ArgumentParser
import Files
import Flux2
import Foundation
import Torch

struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what this program runs on, and test that it computes right.")

    func run() throws {
        print("flux2       \(Version.current)")
        print("engine      libtorch \(Runtime.version) in \(Runtime.libraryFolder ?? "?")")
        print("            \(Runtime.cpuCapability), \(Runtime.threads) threads, \(Self.waiting())")
        Self.kernels().forEach { print($0) }
        print("processor   \(Self.features().joined(separator: " "))")
        print("dtype auto  \(Precision.auto.resolved(on: .cpu).0.name) on cpu")
        print("memory      \(Self.memory(.cpu))")
        print("disk here   \(Self.disk())")
        Self.devices().forEach { print($0) }
        let tests = SelfTest.runAll()
        for test in tests {
            print("self-test   \(test.failure.map { "FAILED: " + $0 } ?? "passed"): \(test.name)")
        }
        if tests.contains(where: { $0.failure != nil }) { throw ExitCode(1) }
    }

    /// The processor features that matter for speed.
    private static func features() -> [String] {
        let wanted = [
            "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8",
        ]
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("flags") } ?? ""
        let flags = Set(line.split(separator: " ").map(String.init))
        let found = wanted.filter(flags.contains)
        return found.isEmpty ? ["no known vector extensions"] : found
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

    /// What computes each operation that there is a kernel for.
    private static func kernels() -> [String] {
        let heading =
            "kernels     \(KernelSet.current.rawValue), for bfloat16 and int8 without gradients"
        return [heading]
            + Kernel.allCases.map { kernel in
                let name = kernel.rawValue.padding(toLength: 12, withPad: " ", startingAt: 0)
                return "            \(name)\(kernel.isUsed ? kernel.set.rawValue : kernel.instead)"
            }
    }

    private static func memory(_ device: Device) -> String {
        guard let memory = try? device.memory() else { return "unknown" }
        return "\(Terminal.bytes(memory.free)) free of \(Terminal.bytes(memory.total))"
    }

    private static func disk() -> String {
        let folder = FileManager.default.currentDirectoryPath
        guard let free = try? DiskSpace.free(at: folder) else { return "unknown" }
        return "\(Terminal.bytes(free)) free"
    }

    private static func devices() -> [String] {
        if let why = Runtime.loadCUDA() { return ["cuda        not used: \(why)"] }
        return (0..<Runtime.cudaDeviceCount).map {
            let device = Device(.cuda, index: $0)
            return "\(device)      \(memory(device))"
        }
    }
}

extension Kernel {
    /// What computes where the kernel does not.
    fileprivate var instead: String {
        switch self {
        case .int8: "libtorch, with weights brought into the type that is computed in"
        case .winograd where Kernel.convolution.isUsed: "as all convolutions"
        default: "libtorch"
        }
    }
}
