import Foundation
import Offloading
import Checkpoints
import TestSupport
import Testing
import Torch

extension CommandLineTests {
    @Suite("Processes train together", .serialized)
    struct TrainingTogether {
        private let folder: TemporaryFolder

        init() throws {
            folder = try TemporaryFolder()
            let rows = ["landscape", "portrait", "square", "exact"].map {
                "{\"image\": \"\($0).png\", \"prompt\": \"a \($0) image\"}"
            }
            try rows.joined(separator: "\n").write(
                toFile: folder.file("rows.jsonl"), atomically: true, encoding: .utf8)
        }

        private func arguments(_ output: String, _ more: [String]) -> [String] {
            [
                "train", "--dataset_base_path", Reference.path("inputs"),
                "--dataset_metadata_path", folder.file("rows.jsonl"), "--model",
                Reference.path("models/tiny-klein"), "--max_pixels", "2304", "--lora_base_model",
                "dit", "--lora_target_modules", Training.targets, "--lora_rank", "4",
                "--learning_rate", "0.01", "--lr_scheduler", "constant", "--num_epochs", "2",
                "--dtype", "float32", "--seed", "5", "--output_path", folder.file(output),
            ] + more
        }

        private func train(
            _ output: String, processes: Int = 1, _ more: [String] = []
        ) throws -> Program.Outcome {
            let command = arguments(output, more)
            // Sums are cut by threads; Adam makes much of what is small and should be nothing.
            return try Program.run(
                processes == 1
                    ? command : ["launch", "--processes", "\(processes)", "--"] + command,
                environment: ["OMP_NUM_THREADS": "1"])
        }

        private func tensors(_ path: String) throws -> [String: Tensor] {
            let file = try SafetensorsFile(path: folder.file(path))
            return try Dictionary(
                uniqueKeysWithValues: file.tensors.map { ($0.name, try .mapped($0, of: file)) })
        }

        private func difference(_ a: String, _ b: String) throws -> Double {
            let (x, y) = try (tensors(a), tensors(b))
            #expect(Set(x.keys) == Set(y.keys) && !x.isEmpty)
            return try x.map { key, value in
                try (value - #require(y[key])).abs().maximum().item()
            }.max() ?? .infinity
        }

        @Test func twoProcessesAreOneThatAccumulates() throws {
            let alone = try train("alone", ["--gradient_accumulation_steps", "2"])
            #expect(alone.status == 0, "\(alone.errors)")
            let file = "epoch-1.safetensors"
            for (output, more) in [
                ("together", []), ("zero1", ["--zero", "1"]),
                ("zero2", ["--zero", "2", "--max_grad_norm", "1000"]),
            ] {
                let together = try train(output, processes: 2, more)
                #expect(together.status == 0, "\(together.errors)")
                #expect(try difference("alone/\(file)", "\(output)/\(file)") < 1e-6, "\(output)")
            }
        }

        @Test func aRunGoesOnWithAnotherNumberOfProcesses() throws {
            let whole = try train("whole", ["--gradient_accumulation_steps", "2"])
            #expect(whole.status == 0, "\(whole.errors)")
            let first = try train("part", processes: 2, ["--stop_after", "2"])
            #expect(first.status == 0, "\(first.errors)")
            let rest = try train(
                "part", ["--gradient_accumulation_steps", "2", "--resume"])
            #expect(rest.status == 0, "\(rest.errors)")
            let file = "epoch-1.safetensors"
            #expect(try difference("whole/\(file)", "part/\(file)") < 1e-6)
        }

        @Test func aKilledProcessEndsTheOthersAndLeavesTheCheckpoint() throws {
            let running = try Program.start(
                ["launch", "--processes", "2", "--"]
                    + arguments("killed", ["--dataset_repeat", "100", "--save_steps", "2"]))
            let state = folder.file("killed/training_state.safetensors")
            let deadline = Date().addingTimeInterval(60)
            while !FileManager.default.fileExists(atPath: state), Date() < deadline {
                usleep(50_000)
            }
            let children = try Self.children(of: running.identifier)
            #expect(children.count == 2)
            kill(try #require(children.last), SIGKILL)
            let outcome = try running.finish()
            #expect(outcome.status != 0)
            #expect(outcome.errors.contains("rank"), "\(outcome.errors)")
            #expect(try !tensors("killed/training_state.safetensors").isEmpty)
            #expect(try !tensors("killed/step-2.safetensors").isEmpty)
        }

        private static func children(of parent: Int32) throws -> [Int32] {
            let tasks = "/proc/\(parent)/task"
            return try FileManager.default.contentsOfDirectory(atPath: tasks).flatMap { task in
                try String(contentsOfFile: "\(tasks)/\(task)/children", encoding: .utf8)
                    .split(separator: " ").compactMap { Int32($0) }
            }
        }
    }
}
