import Foundation
import Imaging
import TestSupport
import Testing

extension CommandLineTests {
    @Suite("flux2 train takes what --dry-run says", .serialized)
    struct TrainForecast {
        private let folder: TemporaryFolder

        init() throws {
            folder = try TemporaryFolder()
            try FileManager.default.createDirectory(
                atPath: folder.file("data"), withIntermediateDirectories: true)
            for number in 0..<4 {
                try Image(
                    width: 256, height: 256, red: UInt8(20 * number), green: 128, blue: 200
                ).write(to: folder.file("data/\(number).png"))
                try "square \(number)".write(
                    toFile: folder.file("data/\(number).txt"), atomically: true, encoding: .utf8)
            }
        }

        /// The most private memory of the program while it runs, looked at every few milliseconds. Beside
        /// other work the highest moment may pass unseen, so it runs again where too little was seen.
        private func peak(_ arguments: [String], atLeast least: Double) throws -> Double {
            var most = 0.0
            for _ in 0..<5 where most < least { most = max(most, try peak(arguments)) }
            return most
        }

        private func peak(_ arguments: [String]) throws -> Double {
            let program = try Program.start(arguments)
            var most = 0
            while program.isRunning {
                let path = "/proc/\(program.identifier)/status"
                let status = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
                for line in status.split(separator: "\n") where line.hasPrefix("RssAnon:") {
                    let words = line.split(whereSeparator: \.isWhitespace)
                    most = max(most, Int(words[1]) ?? 0)
                }
                Thread.sleep(forTimeInterval: 0.002)
            }
            let outcome = try program.finish()
            #expect(outcome.status == 0, "\(outcome.errors)")
            return Double(most) * 1024 / 1e6
        }

        private func expected(_ arguments: [String]) throws -> Double {
            let outcome = try Program.run(arguments + ["--dry-run"])
            let words = try #require(
                outcome.output.firstMatch(of: /at most ([0-9.]+) MB on/), "\(outcome.output)")
            return try #require(Double(words.1))
        }

        @Test(
            "with blocks kept, recomputed, and whole weights in full",
            .enabled(if: FileManager.default.fileExists(atPath: "/proc/self/status")),
            arguments: [
                ["--lora_base_model", "dit"],
                ["--lora_base_model", "dit", "--use_gradient_checkpointing"],
                ["--trainable_models", "dit"],
            ])
        func isNear(_ method: [String]) throws {
            let arguments =
                [
                    "train", "--model", Reference.ownModel("tiny-klein"), "--dataset_base_path",
                    folder.file("data"), "--lora_target_modules",
                    #"(single_)?transformer_blocks\..*"#, "--batch_size", "4", "--num_epochs", "2",
                    "--dtype", "float32", "--threads", "1", "--seed", "1", "--no-keep-state",
                    "--output_path", folder.file("out"), "--force",
                ] + method
            let told = try expected(arguments)
            let found = try peak(arguments, atLeast: 0.6 * told)
            #expect(found < 1.4 * told && found > 0.6 * told, "told \(told) MB, found \(found) MB")
        }

        /// No hub is asked: what could be would refuse.
        @Test func ofAPublishedModelThatIsNotHere() throws {
            let outcome = try Program.run(
                [
                    "train", "--dry-run", "--model", "klein-base-4b", "--dataset_base_path",
                    folder.file("data"), "--lora_base_model", "dit", "--lora_target_modules",
                    "to_q,to_k", "--output_path", folder.file("out"), "--device", "cpu",
                    "--dtype", "bfloat16", "--threads", "1",
                ],
                environment: [
                    "HF_ENDPOINT": "http://127.0.0.1:9", "MODELSCOPE_DOMAIN": "127.0.0.1:9",
                    "HF_HOME": folder.file("hf"), "MODELSCOPE_CACHE": folder.file("ms"),
                    "DIFFSYNTH_MODEL_BASE_PATH": folder.file("models"), "HF_HUB_OFFLINE": "0",
                ])
            #expect(outcome.status == 0, "\(outcome.errors)")
            let words = try #require(
                outcome.output.firstMatch(of: /at most ([0-9.]+) GB on/), "\(outcome.output)")
            // Weights are mapped: they are no part of it.
            #expect(try #require(Double(words.1)) < 16, "\(outcome.output)")
            #expect(outcome.output.contains("a LoRA of rank 32"), "\(outcome.output)")
            #expect(folder.contents == ["data"])
        }
    }
}
