import Foundation
import Checkpoints
import TestSupport
import Testing

extension CommandLineTests {
    @Suite("Training learns by every method", .serialized)
    struct TrainingMethods {
        private let folder: TemporaryFolder

        init() throws { folder = try TemporaryFolder() }

        private struct Run {
            var losses: [Double]
            var heldOut: [Double]
            var errors: String
        }

        /// Trains on four images and holds one out.
        private func train(
            _ name: String, rate: String, model: String = "tiny-klein", _ more: [String]
        ) throws -> Run {
            let rows = ["landscape", "portrait", "square", "exact", "wide"].map {
                "{\"image\": \"\($0).png\", \"prompt\": \"an image\"}"
            }
            try rows.joined(separator: "\n").write(
                toFile: folder.file("rows.jsonl"), atomically: true, encoding: .utf8)
            let outcome = try Program.run(
                [
                    "train", "--dataset_base_path", Reference.path("inputs"),
                    "--dataset_metadata_path", folder.file("rows.jsonl"), "--model",
                    Reference.path("models/\(model)"), "--height", "32", "--width", "32",
                    "--dataset_repeat", "10", "--learning_rate", rate, "--lr_scheduler",
                    "constant", "--seed", "1", "--validation_split", "1", "--validation_steps",
                    "20", "--output_path", folder.file(name), "--enable_json_log",
                ] + more)
            #expect(outcome.status == 0, "\(outcome.errors)")
            var run = Run(losses: [], heldOut: [], errors: outcome.errors)
            let log = try String(contentsOfFile: folder.file("\(name)/log.jsonl"), encoding: .utf8)
            for line in log.split(separator: "\n") {
                let entry = try JSONSerialization.jsonObject(with: Data(line.utf8))
                guard let entry = entry as? [String: Any] else { continue }
                if let loss = entry["loss"] as? Double { run.losses.append(loss) }
                if let loss = entry["validation_loss"] as? Double { run.heldOut.append(loss) }
            }
            return run
        }

        private static let lora = [
            "--lora_base_model", "dit", "--lora_target_modules", Training.targets, "--lora_rank",
            "8",
        ]

        /// The loss at fixed noise at the end, over that of weights that did not change.
        private func gain(_ name: String, rate: String, _ more: [String]) throws -> Double {
            let control = try train(name + "-control", rate: "0", more)
            let run = try train(name, rate: rate, more)
            let (before, after) = try (
                #require(control.heldOut.last), #require(run.heldOut.last)
            )
            #expect(Set(control.heldOut).count == 1, "nothing changes at rate 0")
            return after / before
        }

        @Test func aLoRALearns() throws {
            #expect(try gain("lora", rate: "0.01", Self.lora) < 0.8)
        }

        @Test(.slow)
        func wholeWeightsLearn() throws {
            #expect(
                try gain(
                    "full", rate: "0.003", ["--trainable_models", "dit", "--max_grad_norm", "1"])
                    < 0.8)
        }

        @Test(.slow)
        func batchesMastersAveragesAndSmallStatesLearn() throws {
            let more = [
                "--batch_size", "2", "--master_weights", "fp32", "--optimizer", "adam8bit",
                "--ema_decay", "0.9", "--max_grad_norm", "1", "--use_gradient_checkpointing",
                "--dataset_repeat", "30",
            ]
            #expect(try gain("all", rate: "0.01", Self.lora + more) < 0.8)
        }

        @Test(
            .slow,
            arguments: ["--fp8_models", "--quant_options"])
        func aLoRALearnsBesideWeightsOfEightBits(_ option: String) throws {
            let tiny = Reference.path("models/tiny-klein")
            let transformer = tiny + "/transformer"
            let more = [
                "--model_paths", "[\"\(transformer)\"]", option,
                option == "--fp8_models" ? transformer : transformer + ":int8/to_out",
                "--use_gradient_checkpointing",
            ]
            #expect(try gain(String(option.dropFirst(2)), rate: "0.01", Self.lora + more) < 0.8)
        }

        @Test func aSecondLoRALearnsTheDifferenceToAPreset() throws {
            _ = try train("first", rate: "0.01", Self.lora)
            let preset = folder.file("first/epoch-0.safetensors")
            let more = ["--preset_lora_path", preset, "--preset_lora_model", "dit"]
            let control = try train("second-control", rate: "0", Self.lora + more)
            let plain = try train("plain", rate: "0", Self.lora)
            // The preset is part of the model from the start, and no part of the file.
            #expect(control.heldOut[0] < 0.8 * plain.heldOut[0])
            let file = try SafetensorsFile(path: folder.file("second-control/epoch-0.safetensors"))
            #expect(try file.tensors.count == SafetensorsFile(path: preset).tensors.count)
        }

        @Test(arguments: ["text_encoder", "vae", "dit.proj_out"])
        func otherPartsCanBeTrained(_ part: String) throws {
            let run = try train(
                part, rate: "0.001",
                [
                    "--trainable_models", part, "--dtype", "float32", "--stop_after", "4",
                    "--save_steps", "4",
                ])
            #expect(run.losses.count == 4)
            let file = try SafetensorsFile(path: folder.file("\(part)/step-4.safetensors"))
            let names = file.tensors.map(\.name)
            switch part {
            case "text_encoder":
                #expect(names.allSatisfy { $0.hasPrefix("pipe.text_encoder_qwen3.model.") })
            case "vae": #expect(names.allSatisfy { $0.hasPrefix("pipe.vae.") })
            default: #expect(names == ["proj_out.weight"])
            }
        }
    }
}
