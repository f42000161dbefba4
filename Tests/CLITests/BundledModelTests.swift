import Foundation
import Imaging
import TestSupport
import Testing

extension CommandLineTests {
    @Suite("The model that comes with flux2", .serialized)
    struct BundledModel {
        private let folder: TemporaryFolder
        private let hint =
            "model emoji, which comes with flux2; for klein-4B (16 GB): "
            + "flux2 generate \"…\" --model klein-4b\n"

        init() throws {
            folder = try TemporaryFolder()
            try """
            {"flux2": {
                "notice": "draws emoji", "text_length": 32, "height": 32, "width": 64, "steps": 2,
                "cfg_scale": 3
            }}
            """.write(
                toFile: try folder.model() + "/model_index.json", atomically: true, encoding: .utf8)
        }

        private func run(_ arguments: [String], place: String? = nil) throws -> Program.Outcome {
            try Program.run(
                arguments,
                environment: ["FLUX2_EMOJI_MODEL": place ?? folder.file("tiny-klein")],
                in: folder.path)
        }

        /// Runs what has to succeed.
        private func succeed(
            _ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation
        ) throws -> Program.Outcome {
            let outcome = try run(arguments)
            #expect(outcome.status == 0, "\(outcome.errors)", sourceLocation: sourceLocation)
            return outcome
        }

        @Test func drawsWithItsOwnSettingsWhereNoModelIsNamed() throws {
            let outcome = try succeed(
                "generate", "smiling cat", "--seed", "3", "--output", "a.png", "--json")
            for words in [
                hint, "draws emoji\n", "preset 'emoji': 64x32, 2 steps, cfg-scale 3.0\n",
                " of 32 tokens",
            ] {
                #expect(outcome.errors.contains(words), "\(outcome.errors)")
            }
            #expect(outcome.output.contains(#""model":"emoji""#))
            let image = try Image(contentsOf: folder.file("a.png"))
            #expect(image.width == 64 && image.height == 32)
            _ = try succeed("rerun", "a.png", "--check")
            let named = try succeed(
                "generate", "smiling cat", "--seed", "3", "--output", "b.png", "--model", "emoji")
            #expect(!named.errors.contains("which comes with flux2"))
            #expect(try Image(contentsOf: folder.file("b.png")) == image)
        }

        @Test func whatIsSaidWins() throws {
            let outcome = try succeed(
                "generate", "smiling cat", "--height", "48", "--steps", "1", "--cfg-scale", "1",
                "--t5-sequence-length", "24", "--output", "a.png")
            #expect(outcome.errors.contains("preset 'emoji': 64x48\n"), "\(outcome.errors)")
            #expect(
                outcome.errors.contains("step 1 of 1") && outcome.errors.contains("of 24 tokens"))
            let image = try Image(contentsOf: folder.file("a.png"))
            #expect(image.width == 64 && image.height == 48)
            let all = try succeed(
                "generate", "smiling cat", "--height", "16", "--width", "16", "--steps", "1",
                "--cfg-scale", "1", "--output", "b.png")
            #expect(!all.errors.contains("preset"))
        }

        @Test func makesBatches() throws {
            try "a cat\na dog\n".write(
                toFile: folder.file("prompts.txt"), atomically: true, encoding: .utf8)
            _ = try succeed("generate", "--prompt-file", "prompts.txt", "--output", "a.png")
            for name in ["a-001.png", "a-002.png"] {
                #expect(try Image(contentsOf: folder.file(name)).height == 32)
            }
        }

        @Test func isKnownToAllCommands() throws {
            #expect(try succeed("plan").errors.contains(hint))
            _ = try succeed("plan", "--model", "emoji", "--json")
            let place = folder.file("tiny-klein")
            #expect(try succeed("inspect", "emoji").output.contains("\(place)/vae\n"))
            let lora = Reference.own + "/inputs/lora/diffsynth.safetensors"
            #expect(
                try succeed("lora", "inspect", lora, "--model", "emoji").output
                    .contains("matched     30 weights"))
            try TrainingPlace.write(2, to: folder.file("data"))
            _ = try succeed(
                "train", "--model", "emoji", "--dataset-base-path", "data",
                "--dataset-metadata-path", "data/metadata.csv", "--trainable-models", "dit",
                "--dry-run")
            _ = try succeed("quantize", "emoji", "q.safetensors", "--format", "int8")
            _ = try succeed("assemble", "emoji", "--distilled", "--output", "model")
            let list = try succeed("models").output
            #expect(list.hasPrefix("emoji\n") && list.contains("on disk     \(place)\n"))
            #expect(list.contains("2 steps, cfg-scale 3.0, 64x32\n"))
        }

        /// A folder of this name that holds something else is no obstacle.
        @Test func isFoundBesideAFolderOfItsName() throws {
            try TrainingPlace.write(1, to: folder.file("emoji"))
            _ = try succeed("generate", "a cat", "--steps", "1", "--output", "a.png")
            _ = try succeed(
                "generate", "a cat", "--model", "emoji", "--steps", "1", "--output", "b.png")
        }

        @Test func whereItIsNotTheModelHasToBeNamed() throws {
            let outcome = try run(["generate", "a cat", "--output", "a.png"], place: "/nowhere")
            #expect(outcome.status == 1)
            #expect(
                outcome.errors
                    == "Error: model must be given (emoji, which comes with flux2, was looked for in "
                    + "/nowhere), not absent\n")
            let named = try run(["plan", "--model", "emoji"], place: "/nowhere")
            #expect(named.status == 1 && named.errors.contains("emoji: no such model; looked for"))
            #expect(named.errors.contains("/nowhere"))
            let list = try run(["models"], place: "/nowhere")
            #expect(list.output.contains("not on this machine; looked for /nowhere\n"))
            // Part of a model is not completed with another one.
            let part = try run(["plan", "--vae", folder.file("tiny-klein/vae")])
            #expect(part.status == 1 && part.errors.contains("--transformer beside the others"))
        }
    }
}
