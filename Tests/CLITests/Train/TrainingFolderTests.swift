import Foundation
import Imaging
import Checkpoints
import TestSupport
import Testing

extension CommandLineTests {
    @Suite("A training's folder", .serialized)
    struct TrainingFolders {
        private let place: TrainingPlace
        private let lora = TrainingPlace.lora

        init() throws { place = try TrainingPlace(images: 3) }

        private func error(of outcome: Program.Outcome) -> String {
            let lines = outcome.errors.split(separator: "\n").filter { $0.hasPrefix("Error: ") }
            #expect(outcome.status != 0 && lines.count == 1, "\(outcome.errors)")
            return String(lines.first ?? "")
        }

        private func everything(_ folder: String = "out") throws -> [String: Data] {
            try Dictionary(
                uniqueKeysWithValues: place.contents(folder).filter { $0.contains(".") }.map {
                    ($0, try place.bytes("\(folder)/\($0)"))
                })
        }

        // MARK: A second training

        @Test func isNotTrainedIntoAgainWithoutAWord() throws {
            try place.train(lora + ["--enable_csv_log", "--num_epochs", "2"])
            let before = try everything()
            let error = try error(of: place.run(lora + ["--learning_rate", "1e-2"]))
            for words in ["a training at step 6, 2 checkpoints", "--resume", "--force"] {
                #expect(error.contains(words), "\(error)")
            }
            #expect(try everything() == before)
            #expect(try self.error(of: place.run(lora + ["--resume", "--force"])).contains("one"))

            let again = try place.train(lora + ["--enable_csv_log", "--force"])
            #expect(again.errors.contains("a training at step 6, 2 checkpoints was there"))
            #expect(
                place.contents("out") == [
                    "epoch-0.safetensors", "loss.csv", "training_args.json",
                    "training_state.safetensors",
                ])
            #expect(try place.losses().map { $0.prefix(2) } == ["1,", "2,", "3,"])
        }

        @Test func withCheckpointsAloneIsOneToo() throws {
            try place.train(lora + ["--no-keep-state"])
            let error = try error(of: place.run(lora))
            #expect(error.contains("--force") && !error.contains("--resume"), "\(error)")
        }

        @Test func logsOfATrainingThatEndedBeforeItsFirstStateBeginAnew() throws {
            try FileManager.default.createDirectory(
                atPath: place.file("out"), withIntermediateDirectories: true)
            try "step,key,value\n1,loss,0.5\n2,loss,0.5\n".write(
                toFile: place.file("out/loss.csv"), atomically: true, encoding: .utf8)
            try place.train(lora + ["--enable_csv_log", "--stop_after", "1"])
            #expect(try place.losses().count == 1)
        }

        @Test func isClaimedByTheProcessThatTrains() throws {
            let running = try Program.start(
                place.arguments(lora + ["--num_epochs", "1000", "--enable_csv_log"]))
            let deadline = Date().addingTimeInterval(120)
            while (try? place.losses().count) ?? 0 < 2, Date() < deadline {
                Thread.sleep(forTimeInterval: 0.01)
            }
            for more in [[], ["--force"], ["--resume"]] {
                let error = try error(of: place.run(lora + more))
                #expect(error.contains("out: "), "\(error)")
            }
            #expect(try self.error(of: place.run(lora + ["--force"])).contains("another process"))
            #expect(running.isRunning)
            running.send(SIGTERM)
            _ = try running.finish()
            #expect(!place.contents("out").contains { $0.hasPrefix(".") })
            try place.train(lora + ["--num_epochs", "1000", "--resume", "--stop_after", "1"])
        }

        // MARK: Before the first step

        @Test func isProvenWritableBeforeAModelIsLookedAt() throws {
            let file = place.file("file")
            try Data().write(to: URL(fileURLWithPath: file))
            for more in [[], ["--dry-run"]] {
                let outcome = try Program.run(
                    place.arguments(lora + ["--model", "/no/such"] + more, output: "file/out"))
                #expect(error(of: outcome).contains("file/out: cannot make the folder"))
            }
        }

        @Test(arguments: [[], ["--width", "32", "--height", "32"]])
        func staysEmptyWhereAnImageIsNone(_ more: [String]) throws {
            try Data("GIF89a".utf8).write(to: URL(fileURLWithPath: place.data + "/2.png"))
            let outcome = try place.run(
                lora + ["--num_epochs", "1000", "--save_steps", "1", "--enable_csv_log"] + more)
            let error = error(of: outcome)
            #expect(error.contains("row 3") && error.contains("2.png"), "\(error)")
            #expect(place.contents("out").isEmpty)
        }

        // MARK: Encoded samples

        private let encode = ["--task", "sft:data_process"]

        @Test func ofEncodedSamplesHoldsThoseOfOneRun() throws {
            try place.train(encode)
            try FileManager.default.copyItem(
                atPath: place.file("out/0"), toPath: place.file("out/1"))
            try Data().write(to: URL(fileURLWithPath: place.file("out/1/notes.txt")))
            try place.train(encode)
            #expect(place.contents("out") == ["0", "1"])
            #expect(place.contents("out/1") == ["notes.txt"])
            #expect(place.contents("out/0").count == 3)
        }

        @Test func whoseEncodingHasNotEndedIsNotTrainedOn() throws {
            try place.train(encode)
            let mark = place.file("out/encoding.unfinished")
            try Data().write(to: URL(fileURLWithPath: mark))
            let options = [
                "--task", "sft:train", "--dataset_base_path", place.file("out"),
            ]
            let arguments = place.arguments(lora, output: "trained") + options
            let rows = try #require(arguments.firstIndex(of: "--dataset_metadata_path"))
            let train = Array(arguments[..<rows] + arguments[(rows + 2)...])
            #expect(try error(of: Program.run(train)).contains("have not all been encoded"))
            try place.train(encode)
            #expect(try Program.run(train).status == 0)
        }

        /// A later run would take checkpoints for samples.
        @Test func isNotThatOfTheEncodedSamples() throws {
            try place.train(encode)
            for folder in ["out", "out/lora"] {
                let outcome = try Program.run(
                    place.arguments(lora, output: folder) + [
                        "--task", "sft:train", "--dataset_base_path", place.file("out"),
                    ])
                #expect(error(of: outcome).contains("lies in --dataset_base_path"))
            }
        }

        // MARK: Images

        @Test func keepsImagesAsFilesThatSayHowTheyWereMade() throws {
            let options =
                lora + [
                    "--num_epochs", "2", "--sample_prompt", "a red fox", "--sample_prompt", "x",
                    "--sample_steps", "2", "--sample_height", "32", "--sample_width", "32",
                    "--sample_inference_steps", "1", "--report",
                ]
            try place.train(options + ["--stop_after", "3"])
            #expect(
                place.contents("out/samples") == ["step-000002-1.png", "step-000002-2.png"])
            // Of a step that the state does not have.
            try FileManager.default.copyItem(
                atPath: place.file("out/samples/step-000002-1.png"),
                toPath: place.file("out/samples/step-000004-7.png"))
            try place.train(options + ["--resume"])
            let names = [2, 4, 6].flatMap { ["step-00000\($0)-1.png", "step-00000\($0)-2.png"] }
            #expect(place.contents("out/samples") == names)
            let text = try #require(
                Image.readMetadata(of: place.file("out/samples/step-000004-1.png"))["flux2"])
            for words in [
                #""prompt":"a red fox""#, #""steps":1"#, #""training_step":4"#,
                #""loras":["both step-4.safetensors:1.0"]"#, #""text_length":48"#,
            ] { #expect(text.contains(words), "\(text)") }
            let page = String(decoding: try place.bytes("out/report.html"), as: UTF8.self)
            #expect(page.components(separatedBy: "<figure>").count - 1 == 6)
        }
    }
}
