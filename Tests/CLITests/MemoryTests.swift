import Flux2
import Foundation
import Imaging
import TestSupport
import Testing
import Torch

extension CommandLineTests {
    /// Needs a model of klein-4B's shapes and ten minutes or more.
    @Suite("Memory that was planned", .serialized)
    struct Memory {
        private static let model = ProcessInfo.processInfo.environment["FLUX2_REAL_MODEL"]
        private static let isSlow =
            ProcessInfo.processInfo.environment["FLUX2_SLOW_TESTS"] != nil

        private static let requests = [
            ["--height", "256", "--width", "256"], ["--height", "512", "--width", "512"],
            ["--height", "768", "--width", "512"], ["--height", "1024", "--width", "1024"],
            ["--height", "256", "--width", "512"],
            ["--height", "512", "--width", "512", "--cfg-scale", "4"],
            ["--height", "512", "--width", "768", "--t5-sequence-length", "128"],
            ["--height", "256", "--width", "256", "--dtype", "float32"],
            ["--height", "1024", "--width", "1024", "--tiling", "strips"],
            ["--height", "768", "--width", "768", "--tiling", "off"],
        ]

        /// As long as memory comes from the C library, what it takes scatters widely.
        @Test(.enabled(if: model != nil && isSlow), arguments: requests)
        func isWhatTheProgramTakes(arguments: [String]) throws {
            let folder = try TemporaryFolder()
            let model = try #require(Self.model)
            let outcome = try Program.run(
                ["generate", "a fox", "--model", model, "--steps", "1", "--seed", "1", "--json"]
                    + ["--quiet", "--output", folder.file("m.png")] + arguments)
            #expect(outcome.status == 0, "\(outcome.errors)")
            let report =
                try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
                as? [String: Any]
            let memory = report?["memory"] as? [String: Any]
            let measured = try #require(memory?["peak_private_bytes"] as? Int)
            let planned = try plan(arguments, model).peak
            let ratio = Double(planned) / Double(measured)
            print("\(arguments): planned \(planned), measured \(measured), ratio \(ratio)")
            #expect((0.7...1.45).contains(ratio))
        }

        private func plan(_ arguments: [String], _ model: String) throws -> MemoryForecast {
            func value(_ name: String) -> String? {
                arguments.firstIndex(of: name).map { arguments[$0 + 1] }
            }
            var request = GenerationRequest(prompt: "a fox", seed: 1)
            request.steps = 1
            request.height = value("--height").flatMap(Int.init) ?? request.height
            request.width = value("--width").flatMap(Int.init) ?? request.width
            request.cfgScale = value("--cfg-scale").flatMap(Double.init) ?? 1
            request.textLength = value("--t5-sequence-length").flatMap(Int.init)
            request.tiling = value("--tiling") == "strips" ? .strips : .off
            let dtype: DType = value("--dtype") == "float32" ? .float32 : .bfloat16
            return MemoryForecast(
                MemoryDemand(
                    request, model: try .init(ModelFiles(model: model)), dtype: dtype,
                    threads: Runtime.threads))
        }
    }
}
