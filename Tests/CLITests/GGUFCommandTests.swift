import Foundation
import TestSupport
import Testing

extension CommandLineTests {
    @Suite("flux2 with GGUF files", .serialized)
    struct GGUF {
        private func path(_ name: String) -> String { "\(Reference.own)/gguf/\(name).gguf" }

        @Test func makesImagesWithThem() throws {
            let folder = try TemporaryFolder()
            let output = folder.file("a.png")
            let outcome = try Program.run(
                tinyArguments(
                    output: output,
                    [
                        "--transformer", path("klein-transformer"),
                        "--text-encoder", path("qwen3"),
                    ]))
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(FileManager.default.fileExists(atPath: output))
            #expect(outcome.errors.contains("transformer: 623 kB of weights"))
        }

        @Test func plansWithTheirSizes() throws {
            let outcome = try Program.run([
                "plan", "--model", Reference.ownModel("tiny-klein"), "--transformer",
                path("klein-transformer"),
            ])
            #expect(outcome.status == 0, "\(outcome.errors)")
            let line = outcome.output.split(separator: "\n").first { $0.hasPrefix("transformer") }
            #expect(line?.contains("Q8_0") == true, "\(outcome.output)")
        }

        @Test func inspectTellsWhatTheyHold() throws {
            let outcome = try Program.run(["inspect", path("qwen3")])
            #expect(outcome.status == 0, "\(outcome.errors)")
            for line in [
                "  component   text_encoder", "  gguf kind   qwen3", "  layout      llama.cpp",
                "  types       Q8_0 (169, 305 kB), F32 (113, 11 kB), F16 (28, 86 kB)",
                "  metadata    qwen3.block_count: 28",
                "  metadata    tokenizer.ggml.tokens: 896 of string",
            ] {
                #expect(
                    outcome.output.contains(line + "\n") || outcome.output.hasSuffix(line + "\n"))
            }
            let json = try Program.run(["inspect", path("klein-transformer"), "--json"])
            let parts = try #require(
                try JSONSerialization.jsonObject(with: Data(json.output.utf8))
                    as? [[String: Any]])
            #expect(parts[0]["architecture"] as? String == "flux")
            #expect(parts[0]["types"] as? [String: Int] == ["BF16": 9, "F32": 14, "Q8_0": 22])
            let bytes = try #require(parts[0]["type_bytes"] as? [String: Int])
            #expect(bytes.values.reduce(0, +) == parts[0]["bytes"] as? Int)
        }
    }
}
