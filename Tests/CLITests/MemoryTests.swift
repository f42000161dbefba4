import Foundation
import TestSupport
import Testing

extension CommandLineTests {
    /// Needs a model of klein-4B's shapes and ten minutes or more.
    @Suite("Memory that was planned", .serialized)
    struct Memory {
        private static let model = ProcessInfo.processInfo.environment["FLUX2_REAL_MODEL"]
        private static let isSlow =
            ProcessInfo.processInfo.environment["FLUX2_SLOW_TESTS"] != nil

        private static let requests = [
            ["--height", "256", "--width", "320"], ["--height", "384", "--width", "512"],
            ["--height", "384", "--width", "384", "--cfg-scale", "4"],
            ["--height", "320", "--width", "320", "--steps", "2"],
            ["--height", "320", "--width", "512", "--t5-sequence-length", "256"],
            ["--height", "320", "--width", "256", "--dtype", "float32"],
            ["--height", "768", "--width", "640", "--tiling", "strips"],
            ["--height", "320", "--width", "384", "--rehearse", "--vram-limit", "4"],
        ]

        @Test(.enabled(if: model != nil && isSlow), arguments: requests)
        func isWhatTheProgramTakes(arguments: [String]) throws {
            let folder = try TemporaryFolder()
            let outcome = try Program.run(
                ["generate", "a fox", "--model", #require(Self.model), "--seed", "1", "--json"]
                    + (arguments.contains("--steps") ? [] : ["--steps", "1"])
                    + ["--quiet", "--output", folder.file("m.png")] + arguments,
                environment: ["FLUX2_PROMPT_CACHE": "off"])
            #expect(outcome.status == 0, "\(outcome.errors)")
            let report =
                try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
                as? [String: Any]
            let memory = report?["memory"] as? [String: Any]
            let measured = try #require(memory?["peak_private_bytes"] as? Int)
            let planned = try #require(memory?["predicted_peak_bytes"] as? Int)
            let ratio = Double(planned) / Double(measured)
            print("\(arguments): planned \(planned), measured \(measured), ratio \(ratio)")
            #expect((0.95...1.05).contains(ratio))
        }
    }
}
