import Foundation
import Imaging
import TestSupport
import Testing

extension CommandLineTests {
    @Suite("flux2 train takes its options from files", .serialized)
    struct TrainConfig {
        private let folder: TemporaryFolder
        private let tiny = Reference.ownModel("tiny-klein")

        init() throws {
            folder = try TemporaryFolder()
            try FileManager.default.createDirectory(
                atPath: folder.file("data"), withIntermediateDirectories: true)
            for number in 0..<10 {
                try Image(
                    width: 64, height: 64, red: UInt8(20 * number), green: 128, blue: 200
                ).write(to: folder.file("data/\(number).png"))
                try "square \(number): \"blue\"".write(
                    toFile: folder.file("data/\(number).txt"), atomically: true, encoding: .utf8)
            }
        }

        private func write(_ name: String, _ text: String) throws -> String {
            try text.write(toFile: folder.file(name), atomically: true, encoding: .utf8)
            return folder.file(name)
        }

        private var base: String {
            """
            model: \(tiny)
            dataset-base-path: \(folder.file("data"))
            lora_base_model: dit
            lora_target_modules: [to_q, to_k]
            lora_rank: 4
            extra_inputs: ""
            fp8_models: []
            learning_rate: 1e-3
            keep_state: false
            use_gradient_checkpointing: yes please
            resume: null
            stop_after: 1
            seed: 18446744073709551615
            output_path: \(folder.file("out"))

            """.replacing("yes please", with: "true")
        }

        private func arguments() throws -> [String: Any] {
            let data = try #require(
                FileManager.default.contents(atPath: folder.file("out/training_args.json")))
            return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        }

        @Test("YAML: flags, lists and numbers; the command line and later files win")
        func yaml() throws {
            let first = try write("a.yaml", base)
            let second = try write("b.json", #"{"lora_rank": 3, "no_keep_state": true}"#)
            let outcome = try Program.run([
                "train", "--config", first, "--config=\(second)", "--learning_rate", "2e-3",
                "--quiet",
            ])
            #expect(outcome.status == 0, "\(outcome.errors)")
            let found = try arguments()
            #expect(found["lora_rank"] as? Int == 3)
            #expect(found["learning_rate"] as? Double == 2e-3)
            #expect(found["lora_target_modules"] as? String == "to_q,to_k")
            #expect(found["use_gradient_checkpointing"] as? Bool == true)
            #expect(found["keep_state"] as? Bool == false)
            #expect(found["resume"] as? Bool == false)
            #expect((found["seed"] as? NSNumber)?.uint64Value == UInt64.max)
            #expect(!FileManager.default.fileExists(atPath: folder.file("out/state.safetensors")))
        }

        @Test("JSON: paths as lists, prompts repeated, digits of numbers kept")
        func json() throws {
            let file = try write(
                "a.json",
                """
                {"model_paths": ["\(tiny)/transformer", ["\(tiny)/vae"], "\(tiny)/text_encoder"],
                 "sample_prompt": ["a, b", "c"], "seed": 18446744073709551614,
                 "dataset_base_path": "\(folder.file("data"))", "trainable_models": ["dit"],
                 "stop_after": "1", "keep_state": false, "output_path": "\(folder.file("out"))"}
                """)
            let outcome = try Program.run(["train", "--config", file, "--quiet"])
            #expect(outcome.status == 0, "\(outcome.errors)")
            let found = try arguments()
            #expect(found["sample_prompt"] as? [String] == ["a, b", "c"])
            #expect((found["seed"] as? NSNumber)?.uint64Value == UInt64.max - 1)
        }

        @Test(
            "what a file cannot say is one line that names file and key",
            arguments: [
                ("learning: 1", "a.yaml: 'learning' is no option"),
                ("lora_rank: {a: 1}", "'lora_rank' must be a value or a list, not a mapping"),
                ("lora_rank: [1, 2]", "a.yaml: 'lora_rank' must be one value, not a list"),
                (
                    "lora_rank: big",
                    "a.yaml: 'lora_rank' must be an integer from 1 to 16384, not 'big'"
                ),
                ("max_grad_norm: .nan", "a.yaml: 'max_grad_norm' must be a number from 0"),
                ("height: 4611686018427387904", "a.yaml: 'height' must be an integer from 1"),
                ("report: 3", "a.yaml: 'report' must be true or false, not '3'"),
                ("seed: true", "a.yaml: 'seed' must be a value, not true"),
                ("seed: 1\nseed: 2", "a.yaml: 'seed' is there twice"),
                ("extra_inputs: ['a,b']", "must be a list of parts without ','"),
                ("seed: &a 1", "a.yaml, line 1: anchors, aliases and tags"),
                ("- seed", "a.yaml, line 1: expected 'option: value' lines, found a list"),
                ("seed: [1", "a.yaml, line 2: did not find expected"),
                ("", "a.yaml, line 1: it holds no options"),
                ("a: [[[[[[[[[1]]]]]]]]]", "a.yaml, line 1: 'a': lists lie more than 8 deep"),
                ("a: 1\n---\nb: 2", "a.yaml, line 2: expected one document"),
                ("config: b.yaml", "a.yaml: 'config' is no option"),
            ])
        func refusals(_ text: String, _ words: String) throws {
            let outcome = try Program.run(["train", "--config", write("a.yaml", text)])
            #expect(outcome.status != 0)
            #expect(outcome.errors.contains(words), "\(outcome.errors)")
        }

        @Test("a file that is not there is named, with the folder it was looked for in")
        func missing() throws {
            let outcome = try Program.run(
                ["train", "--config", "none.yaml"], in: folder.path)
            #expect(outcome.status != 0)
            #expect(outcome.errors.contains("--config none.yaml: there is no such file"))
            #expect(try Program.run(["train", "--config", "x.toml"]).errors.contains(".yaml"))
            #expect(try Program.run(["train", "--config"]).errors.contains("config"))
        }

        @Test("what train init writes runs, and is not written over")
        func recipe() throws {
            let path = folder.file("recipe.yaml")
            let arguments = ["train", "init", tiny, folder.file("data"), "--output", path]
            let made = try Program.run(arguments)
            #expect(made.status == 0, "\(made.errors)")
            #expect(try Program.run(arguments).errors.contains("exists"))
            #expect(try Program.run(arguments + ["--force"]).status == 0)
            let text = try String(contentsOfFile: path, encoding: .utf8)
            #expect(text.contains(#"- "square 0: \"blue\"""#), "\(text)")
            let run = try Program.run([
                "train", "--config", path, "--stop_after", "4", "--output_path",
                folder.file("out"), "--save_steps", "2", "--sample_steps", "2",
                "--sample_inference_steps", "1", "--validation_steps", "2",
            ])
            #expect(run.status == 0, "\(run.errors)")
            #expect(run.errors.contains("held-out loss"), "\(run.errors)")
            #expect(run.errors.contains("pictured"), "\(run.errors)")
            let saved = FileManager.default.fileExists(
                atPath: folder.file("out/step-2.safetensors"))
            #expect(saved)
        }

        @Test("a dry run tells what would be trained, memory and time, and writes nothing")
        func dryRun() throws {
            let file = try write("a.yaml", base)
            let outcome = try Program.run(["train", "--config", file, "--dry-run"])
            #expect(outcome.status == 0, "\(outcome.errors)")
            for words in [
                "a LoRA of rank 4 on", "10; the largest is 64x64, 16 tokens, 528 with its caption",
                "10, 10 updates", "mapped from files", "inputs of blocks", "adamw state",
                "TFLOP a step", "at most",
            ] { #expect(outcome.output.contains(words), "\(outcome.output)") }
            #expect(!FileManager.default.fileExists(atPath: folder.file("out")))
        }

        @Test("help still lists the options, and init beside them")
        func help() throws {
            let text = try Program.run(["train", "--help"]).output
            for words in ["--dataset-base-path", "--config", "--dry-run", "init"] {
                #expect(text.contains(words), "\(words)")
            }
        }
    }
}
