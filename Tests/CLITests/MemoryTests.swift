import Foundation
import TestSupport
import Testing

extension CommandLineTests {
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

        /// Needs a model of klein-4B's shapes and ten minutes or more.
        @Test(
            .enabled(
                if: model != nil && isSlow,
                "needs FLUX2_REAL_MODEL and FLUX2_SLOW_TESTS, and ten minutes"),
            arguments: requests)
        func isWhatTheProgramTakes(arguments: [String]) throws {
            let ratio = try ratio(#require(Self.model), arguments)
            #expect((0.95...1.05).contains(ratio))
        }

        /// Libraries and threads weigh more beside a small model, so less exactly.
        @Test(arguments: [
            ["--height", "512", "--width", "512"], ["--height", "768", "--width", "256"],
        ])
        func isNearWhatASmallModelTakes(arguments: [String]) throws {
            let ratio = try ratio(
                Reference.ownModel("tiny-klein"), arguments + ["--dtype", "float32"])
            #expect((0.75...1.25).contains(ratio), "\(ratio)")
        }

        /// What was planned, over what was measured.
        private func ratio(_ model: String, _ arguments: [String]) throws -> Double {
            let folder = try TemporaryFolder()
            let outcome = try Program.run(
                ["generate", "a fox", "--model", model, "--seed", "1", "--json"]
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
            return ratio
        }
    }
}
