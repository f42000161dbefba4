import Foundation
import Checkpoints
import TestSupport
import Testing
import Torch

extension CommandLineTests {
    @Suite("Training that is stopped and resumed", .serialized)
    struct Resuming {
        /// Five samples and two epochs, so that one update of two steps is cut short by an epoch.
        private static let length = ["--num_epochs", "2", "--save_steps", "4"]

        private static let combinations = [
            TrainingPlace.lora,
            TrainingPlace.lora + [
                "--gradient_accumulation_steps", "2", "--ema_decay", "0.9", "--draws", "torch",
            ],
            TrainingPlace.full + ["--optimizer", "adam8bit", "--master_weights", "stochastic"],
        ]

        private static let more = [
            TrainingPlace.full,
            TrainingPlace.full + ["--gradient_accumulation_steps", "2"],
            TrainingPlace.lora + ["--draws", "torch"],
            TrainingPlace.lora + ["--optimizer", "adam8bit"],
            TrainingPlace.lora + ["--optimizer", "adafactor", "--max_grad_norm", "0.5"],
            TrainingPlace.lora + ["--optimizer", "sgd", "--master_weights", "kahan"],
            TrainingPlace.full + ["--master_weights", "fp32", "--ema_decay", "0.99"],
            TrainingPlace.full + [
                "--lr_scheduler", "cosine", "--lr_warmup_steps", "2", "--draws", "torch",
            ],
            TrainingPlace.lora + ["--export", "diffusers", "--lora_alpha", "8"],
            TrainingPlace.lora + ["--batch_size", "2", "--dataset_num_workers", "2"],
        ]

        @Test(arguments: combinations)
        func givesTheSameBytes(_ options: [String]) throws { try check(options) }

        @Test(.slow, arguments: more)
        func givesTheSameBytesToo(_ options: [String]) throws { try check(options) }

        /// Stops twice: within an epoch, and after the first step of the second.
        private func check(_ options: [String]) throws {
            let place = try TrainingPlace(images: 5)
            let options = Self.length + options + ["--enable_csv_log"]
            try place.train(options, output: "whole")
            try place.train(options + ["--stop_after", "3"], output: "parts")
            #expect(place.contents("parts").contains { $0.hasPrefix("step-") })
            try place.train(options + ["--resume", "--stop_after", "6"], output: "parts")
            let last = try place.train(options + ["--resume"], output: "parts")
            #expect(last.errors.contains("going on after step "))
            try expectEqual(place)
        }

        private func expectEqual(_ place: TrainingPlace) throws {
            let files = place.contents("whole").filter {
                $0.hasPrefix("step-") || $0 == "loss.csv"
            }
            #expect(files.count >= 2, "\(files)")
            for name in files where name != "loss.csv" {
                #expect(
                    try place.bytes("whole/\(name)") == place.bytes("parts/\(name)"), "\(name)")
            }
            #expect(try place.losses("whole") == place.losses("parts"))
            try expectSameState(place.file("whole"), place.file("parts"))
        }

        /// Optimizer state is spread over the processes, and comes together in the state.
        @Test(.slow, .enabled(if: ProcessGroup.isAvailable), arguments: ["1", "2"])
        func givesTheSameBytesInTwoProcesses(_ stage: String) throws {
            let place = try TrainingPlace(images: 5)
            func run(_ more: [String], _ output: String) throws {
                let options =
                    Self.length + TrainingPlace.lora
                    + ["--zero", stage, "--enable_csv_log", "--draws", "torch"] + more
                let outcome = try Program.run(
                    ["launch", "--processes", "2", "--"]
                        + place.arguments(options, output: output))
                #expect(outcome.status == 0, "\(outcome.errors)")
            }
            try run([], "whole")
            try run(["--stop_after", "2"], "parts")
            try run(["--resume", "--stop_after", "4"], "parts")
            try run(["--resume"], "parts")
            try expectEqual(place)
        }

        @Test func aRunWithoutASeedGoesOnWithTheOneItDrew() throws {
            let place = try TrainingPlace(images: 3)
            let options = place.arguments(TrainingPlace.lora)
            let seedless = try #require(options.firstIndex(of: "--seed"))
            let arguments = Array(options[..<seedless] + options[(seedless + 2)...])
            let first = try Program.run(arguments + ["--stop_after", "1"])
            #expect(first.status == 0 && first.errors.contains("--seed "), "\(first.errors)")
            let second = try Program.run(arguments + ["--resume"])
            #expect(second.status == 0, "\(second.errors)")
            #expect(second.errors.contains("going on after step 1"))
        }

        @Test func aFinishedRunThatIsResumedDoesNothing() throws {
            let place = try TrainingPlace(images: 2)
            try place.train(TrainingPlace.lora)
            let before = try place.bytes("out/epoch-0.safetensors")
            try place.train(TrainingPlace.lora + ["--resume"])
            #expect(try place.bytes("out/epoch-0.safetensors") == before)
        }

        @Test func anotherRunsStateIsRefused() throws {
            let place = try TrainingPlace(images: 3)
            let lora = TrainingPlace.lora
            func expect(_ options: [String], _ words: String) throws {
                let outcome = try place.run(options + ["--resume"])
                let line = outcome.errors.split(separator: "\n").first { $0.hasPrefix("Error: ") }
                #expect(outcome.status != 0)
                #expect(line?.contains(words) == true, "\(outcome.errors)")
            }
            try expect(lora, "training_state.safetensors: there is no state to resume from")
            try place.train(lora + ["--stop_after", "1"])
            let state = try place.bytes("out/training_state.safetensors")
            try expect(lora + ["--seed", "6"], "another --seed: 5, now 6")
            try expect(lora + ["--lora_rank", "4"], "another --lora_rank: 2, now 4")
            try expect(lora + ["--lora_alpha", "64"], "another --lora_alpha: 2.0, now 64.0")
            try expect(
                lora + ["--lora_target_modules", "to_q,to_k"], "another set of trained tensors: ")
            try expect(TrainingPlace.full, "another --trainable_models: none, now transformer")
            try expect(lora + ["--optimizer", "sgd"], "another --optimizer: adamw, now sgd")
            try expect(lora + ["--master_weights", "kahan"], "--master_weights: none, now kahan")
            try expect(lora + ["--dataset_repeat", "2"], "another --dataset_repeat: 1, now 2")
            try expect(lora + ["--gradient_accumulation_steps", "2"], "accumulation 1")
            try expect(lora + ["--draws", "torch"], "another --draws: sample, now torch")
            try expect(lora + ["--batch_size", "2"], "another --batch_size: 1, now 2")
            try expect(lora + ["--text_length", "64"], "another --text_length: 48, now 64")
            try expect(lora + ["--exact_loss"], "another --exact_loss: false, now true")
            try expect(lora + ["--max_pixels", "1024"], "another --max_pixels: 1048576, now 1024")
            try expect(lora + ["--ema_decay", "0.9"], "another --ema_decay: none, now 0.9")
            try expect(
                lora + ["--model", try otherWeights(place)], "another transformer as base model: ")
            try TrainingPlace.write(4, to: place.data)
            try expect(lora, "another data set: 3 samples, now 4")
            #expect(try place.bytes("out/training_state.safetensors") == state)
        }

        /// A model that differs in the last value of its transformer.
        private func otherWeights(_ place: TrainingPlace) throws -> String {
            let model = try place.folder.model()
            let path = model + "/transformer/diffusion_pytorch_model.safetensors"
            let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
            try handle.seek(toOffset: handle.seekToEnd() - 1)
            let last = try #require(try handle.read(upToCount: 1)?.first)
            try handle.seek(toOffset: handle.seekToEnd() - 1)
            try handle.write(contentsOf: [last ^ 1])
            try handle.close()
            return model
        }
    }
}

/// All of two states is the same, but for the time that they took.
func expectSameState(
    _ first: String, _ second: String, sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let files = try [first, second].map {
        try SafetensorsFile(path: $0 + "/training_state.safetensors")
    }
    #expect(
        files[0].metadata["identity"] == files[1].metadata["identity"],
        sourceLocation: sourceLocation)
    let progress = files.map {
        ($0.metadata["progress"] ?? "").replacing(/"seconds":[^,}]*/, with: "")
    }
    #expect(progress[0] == progress[1], sourceLocation: sourceLocation)
    try expectSameTensors(
        files[0].path, files[1].path, sourceLocation: sourceLocation)
}
