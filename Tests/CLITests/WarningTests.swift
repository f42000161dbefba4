import Foundation
import Imaging
import Checkpoints
import TestSupport
import Testing

extension CommandLineTests {
    @Suite("Warnings are not lost", .serialized)
    struct WarningTests {
        private let folder: TemporaryFolder
        private let model = Reference.ownModel("tiny-klein")

        init() throws { folder = try TemporaryFolder() }

        /// A LoRA of zeros for some modules.
        private func lora(_ name: String, _ modules: [String]) throws -> String {
            let path = folder.file(name + ".safetensors")
            try SafetensorsWriter.write(
                to: path,
                tensors: modules.flatMap { module in
                    [("lora_A", [2, 64]), ("lora_B", [64, 2])].map { part, shape in
                        TensorToWrite(
                            name: "\(module).\(part).weight", type: .F32, shape: shape,
                            bytes: Array(repeating: 0, count: 512))
                    }
                })
            return path
        }

        private let query = "transformer.transformer_blocks.0.attn.to_q"

        private func warnings(_ text: String) throws -> [String] {
            let object = try JSONSerialization.jsonObject(with: Data(text.utf8))
            let first = (object as? [[String: Any]])?.first ?? object as? [String: Any]
            return try #require(first?["warnings"] as? [String], "\(text)")
        }

        @Test func quietSilencesProgressAlone() throws {
            let file = try lora("a", [query, "text_encoder.layers.0.q_proj", "time_embed.linear"])
            let image = folder.file("a.png")
            let outcome = try Program.run(
                tinyArguments(output: image, ["--quiet", "--json", "--lora", file]))
            #expect(outcome.status == 0, "\(outcome.errors)")
            let lines = outcome.errors.split(separator: "\n")
            #expect(lines.count == 2 && lines.allSatisfy { $0.hasPrefix("warning: ") })
            let told = try warnings(outcome.output)
            #expect(told.count == 2)
            #expect(told[0].contains("time_embed.linear") && told[1].contains("text encoders"))
        }

        @Test func everyObjectHasThem() throws {
            let sizes = ["--height", "64", "--width", "64", "--steps", "1"]
            let none = ["--negative-prompt", "blurry"]
            let commands = [
                ["plan", "x", "--model", model, "--json"] + sizes + none,
                ["bench", "x", "--model", model, "--json", "--rounds", "1"] + sizes + none,
                ["inspect", model, "--json"], ["models", "--json"],
                ["lora", "inspect", try lora("b", [query]), "--json", "--model", model],
            ]
            for (index, command) in commands.enumerated() {
                let outcome = try Program.run(command)
                #expect(outcome.status == 0, "\(command): \(outcome.errors)")
                let told = try warnings(outcome.output)
                #expect(told.isEmpty == (index > 1), "\(command): \(told)")
            }
        }

        @Test func aPartOfALoRAIsAnErrorUnlessAskedFor() throws {
            let lost = (5..<8).map { "transformer.transformer_blocks.\($0).attn.to_q" }
            let file = try lora("c", [query] + lost)
            let image = folder.file("c.png")
            let refused = try Program.run(tinyArguments(output: image, ["--lora", file]))
            #expect(refused.status == 1)
            #expect(refused.errors.contains("3 of its 4 modules of transformer blocks"))
            #expect(refused.errors.contains("--partial-lora"))
            #expect(!FileManager.default.fileExists(atPath: image))
            let taken = try Program.run(
                tinyArguments(output: image, ["--lora", file, "--partial-lora", "--quiet"]))
            #expect(taken.status == 0, "\(taken.errors)")
            #expect(taken.errors.contains("warning: \(file): 3 names"))
        }

        @Test(arguments: [
            (["--quality", "90"], "--quality has no effect on PNG"),
            (["--embedded-guidance", "4"], "--embedded-guidance has no effect"),
            (["--no-weight-cache"], "--no-weight-cache has no effect"),
        ])
        func optionsWithoutEffect(_ options: [String], _ words: String) throws {
            let outcome = try Program.run(
                tinyArguments(output: folder.file("d.png"), options + ["--quiet"]))
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(outcome.errors.contains("warning: " + words), "\(outcome.errors)")
        }

        /// Weights do not tell a base model from a distilled one; names do.
        @Test func thePresetOfAnotherModel() throws {
            let models = folder.file("models/black-forest-labs")
            try FileManager.default.createDirectory(
                atPath: models, withIntermediateDirectories: true)
            try FileManager.default.copyItem(
                atPath: model, toPath: models + "/FLUX.2-klein-4B")
            let base = folder.file("flux-2-klein-base-4b.safetensors")
            try FileManager.default.copyItem(
                atPath: model + "/transformer/diffusion_pytorch_model.safetensors", toPath: base)
            let small = ["--height", "64", "--width", "64", "--seed", "1", "--transformer", base]
            func run(_ more: [String]) throws -> Program.Outcome {
                try Program.run(
                    ["generate", "x", "--model", "klein-4b", "--quiet", "--force"] + small
                        + ["-o", folder.file("e.png")] + more,
                    environment: ["DIFFSYNTH_MODEL_BASE_PATH": folder.file("models")])
            }
            let told = try run([])
            #expect(told.status == 0, "\(told.errors)")
            #expect(told.errors.contains("is called a base model's transformer"))
            let asked = try run(["--steps", "1", "--cfg-scale", "2"])
            #expect(!asked.errors.contains("is called a base"), "\(asked.errors)")
        }

        @Test func unknownCommandsAndOptionsNameTheNearest() throws {
            let cases = [
                (["genrate", "x"], "did you mean generate?"),
                (["lora", "conv", "x"], "did you mean convert?"),
                (["generate", "x", "--cfg", "2"], "did you mean --cfg-scale?"),
                (["generate", "x", "--denoise-strength", "1"], "--denoising-strength"),
                (["generate", "x", "--model", "klien-4b"], "did you mean klein-4b"),
                (["download", "klein-4"], "did you mean klein-4b"),
                (
                    ["generate", "x", "--model", "black-forest-lab/FLUX.2-klein-4B", "--offline"],
                    "did you mean black-forest-labs/FLUX.2-klein-4B"
                ),
                (
                    ["generate", "x", "--model", "FLUX.2-kline-4B"],
                    "did you mean black-forest-labs/FLUX.2-klein-4B"
                ),
            ]
            for (arguments, words) in cases {
                let outcome = try Program.run(arguments)
                #expect(outcome.status != 0 && outcome.status < 128)
                #expect(outcome.errors.contains(words), "\(arguments): \(outcome.errors)")
            }
        }

        @Test func completionsOfferFiles() throws {
            let script = try Program.run(["--generate-completion-script", "fish"]).output
            let files = [
                "lora", "input-image", "edit-image", "inpaint-mask", "vae", "dataset-metadata-path",
                "lora-checkpoint", "preset-lora-path", "config",
            ]
            for option in files {
                let lines = script.split(separator: "\n").filter { $0.contains("-l '\(option)' ") }
                #expect(!lines.isEmpty && lines.allSatisfy { $0.hasSuffix(" -rF") }, "\(lines)")
            }
        }

        @Test func plansOfModelsThatAreNotHereFetchNothing() throws {
            let away = [
                "DIFFSYNTH_MODEL_BASE_PATH": folder.file("none"), "HF_HUB_OFFLINE": "0",
                "HF_HOME": folder.file("hf"), "MODELSCOPE_CACHE": folder.file("ms"),
                "HF_ENDPOINT": "http://127.0.0.1:9", "MODELSCOPE_DOMAIN": "127.0.0.1:9",
            ]
            let limits = ["--height", "256", "--width", "256", "--steps", "1"]
            let plan = try Program.run(
                ["plan", "--model", "klein-4b"] + limits, environment: away)
            #expect(!plan.errors.contains("fetching") && !plan.errors.contains("127.0.0.1"))
            // A machine may be too small even for a plan of it.
            #expect(
                plan.status == 0
                    ? plan.output.contains("GiB") : plan.errors.contains("not enough memory"),
                "\(plan.errors)")
            let other = try Program.run(
                ["plan", "--model", "somebody/something"] + limits, environment: away)
            #expect(other.status == 1 && other.errors.contains("not on this machine"))
        }
    }
}
