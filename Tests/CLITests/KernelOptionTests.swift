import Imaging
import TestSupport
import Testing
import Torch

@Suite("Kernels are chosen by an option")
struct KernelOptionTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// The option and the environment say the same, and what they say is one image every time.
    @Test func theOptionAndTheEnvironmentChooseTheSame() throws {
        func image(_ arguments: [String], _ environment: [String: String]) throws -> [UInt8] {
            let output = folder.file("a.png")
            let outcome = try Program.run(
                tinyArguments(output: output, arguments + ["--force"]), environment: environment)
            #expect(outcome.status == 0, "\(outcome.errors)")
            return try Image(contentsOf: output).pixels
        }
        for set in ["reference", "portable"] {
            let chosen = try image(["--kernels", set], ["FLUX2_KERNELS": ""])
            #expect(try image([], ["FLUX2_KERNELS": set]) == chosen)
        }
    }

    @Test(arguments: [
        (["--kernels", "fast"], [:], "'fast' is invalid"),
        ([], ["FLUX2_KERNELS": "fast"], "FLUX2_KERNELS has to be a value of --kernels, not fast"),
    ])
    func refusesSetsThatThereAreNot(
        _ arguments: [String], _ environment: [String: String], _ message: String
    ) throws {
        let outcome = try Program.run(
            ["bench", "kernels"] + arguments, environment: environment)
        #expect(outcome.status != 0)
        #expect(outcome.errors.contains(message), "\(outcome.errors)")
    }

    @Test func doctorTellsWhatIsUsed() throws {
        func line(_ kernel: Kernel, _ set: String) throws -> String {
            let outcome = try Program.run(["doctor"], environment: ["FLUX2_KERNELS": set])
            let lines = outcome.output.split(separator: "\n").map(String.init)
            return try #require(lines.first { $0.hasPrefix("            \(kernel.rawValue) ") })
        }
        for kernel in Kernel.allCases {
            #expect(try line(kernel, "reference").contains(" libtorch"))
        }
        #expect(try line(.gate, "portable").hasSuffix("portable"))
        #expect(try line(.attention, "portable").hasSuffix("libtorch"))
    }
}
