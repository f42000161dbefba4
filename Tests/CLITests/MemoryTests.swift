import Foundation
import Imaging
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
            let (planned, measured) = try bytes(#require(Self.model), arguments)
            #expect((0.95...1.05).contains(Double(planned) / Double(measured)))
        }

        private static let small = [
            ["--height", "128", "--width", "128"],
            ["--height", "384", "--width", "384"],
            ["--height", "768", "--width", "768"],
            ["--height", "512", "--width", "512", "--tiling", "strips"],
            ["--height", "384", "--width", "384", "--cfg-scale", "1"],
            ["--height", "384", "--width", "384", "--kernels", "reference"],
            ["--height", "384", "--width", "384", "--dtype", "float32"],
            ["--height", "384", "--width", "384", "--weights", "int8"],
            ["--height", "384", "--width", "384", "--step-cache", "0.1", "--steps", "4"],
            ["--height", "384", "--width", "384", "--input-image", "IMAGE"],
            [
                "--height", "384", "--width", "384", "--edit-image", "IMAGE", "--edit-image",
                "IMAGE",
            ],
        ]

        /// Libraries and threads weigh most beside a small model, and the peak of a short stage may be missed.
        @Test(arguments: small)
        func isNearWhatTheBundledModelTakes(arguments: [String]) throws {
            let folder = try TemporaryFolder()
            let image = folder.file("image.png")
            try Image(width: 384, height: 384, red: 200, green: 90, blue: 30)
                .write(to: image, overwrite: false)
            let (planned, measured) = try bytes(
                Reference.bundledModel, arguments.map { $0 == "IMAGE" ? image : $0 })
            #expect(planned <= max(measured + 20_000_000, measured / 20 * 21))
            #expect(Double(planned) >= 0.98 * Double(measured))
        }

        /// The peak of private memory.
        private func bytes(
            _ model: String, _ arguments: [String]
        ) throws -> (planned: Int, measured: Int) {
            let folder = try TemporaryFolder()
            let outcome = try Program.run(
                ["generate", "smiling cat", "--model", model, "--seed", "1", "--json"]
                    + (arguments.contains("--steps") ? [] : ["--steps", "2"])
                    + ["--quiet", "--output", folder.file("m.png")] + arguments,
                environment: ["FLUX2_PROMPT_CACHE": "off"])
            #expect(outcome.status == 0, "\(outcome.errors)")
            let report =
                try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
                as? [String: Any]
            let memory = report?["memory"] as? [String: Any]
            let measured = try #require(memory?["peak_private_bytes"] as? Int)
            let planned = try #require(memory?["predicted_peak_bytes"] as? Int)
            print("\(arguments): planned \(planned), measured \(measured)")
            return (planned, measured)
        }
    }
}
