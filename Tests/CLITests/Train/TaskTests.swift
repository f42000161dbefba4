import Foundation
import Imaging
import Offloading
import Checkpoints
import TestSupport
import Testing
import Torch

extension CommandLineTests {
    @Suite("Tasks of flux2 train", .serialized)
    struct Tasks {
        private static let encode = ["--task", "sft:data_process"]

        /// The second stage reads what the first has written.
        private func second(
            _ place: TrainingPlace, _ task: String, from cache: String = "cache"
        ) -> [String] {
            [
                "train", "--task", task, "--dataset_base_path", place.file(cache), "--model",
                Reference.ownModel("tiny-klein"), "--seed", "5", "--output_path", place.file("b"),
                "--threads", "1",
            ]
        }

        // MARK: All six

        @Test(arguments: ["tiny-klein", "tiny-dev"], ["sft", "direct_distill"])
        func trainAtOnceAndInTwoStages(_ model: String, _ task: String) throws {
            let place = try TrainingPlace(images: 0)
            let rows = (0..<2).map {
                #"{"image": "\#($0).png", "prompt": "a \#($0)", "seed": \#($0), "#
                    + #""rand_device": "cpu", "num_inference_steps": 2, "cfg_scale": 1}"#
            }
            for number in 0..<2 {
                try TrainingPlace.image(number).write(to: "\(place.data)/\(number).png")
            }
            let metadata = place.data + "/rows.jsonl"
            try rows.joined(separator: "\n").write(
                toFile: metadata, atomically: true, encoding: .utf8)
            let common = [
                "--model", Reference.ownModel(model), "--dataset_metadata_path", metadata,
                "--extra_inputs",
                task == "sft" ? "" : "seed,rand_device,num_inference_steps,cfg_scale",
                "--dtype", "float32",
            ]
            let log = TrainingPlace.lora + ["--enable_csv_log"]
            try place.train(common + ["--task", task] + log, output: "a")
            try place.train(common + ["--task", task + ":data_process"], output: "cache")
            let outcome = try Program.run(
                second(place, task + ":train") + log + [
                    "--model", Reference.ownModel(model), "--dtype", "float32",
                ])
            #expect(outcome.status == 0, "\(outcome.errors)")
            let losses = try place.losses("a")
            #expect(losses.count == 2)
            #expect(try place.losses("b") == losses)
            try expectSameTensors(
                place.file("a/epoch-0.safetensors"), place.file("b/epoch-0.safetensors"))
        }

        // MARK: What training begins with

        /// With a rate of 0 what comes out is what went in.
        @Test func trainingBeginsWithCheckpoints() throws {
            let place = try TrainingPlace(images: 2)
            let still = ["--learning_rate", "0", "--enable_csv_log"]
            let fast = ["--learning_rate", "0.01"]
            let checkpoint = "/epoch-0.safetensors"

            try place.train(TrainingPlace.full + fast, output: "a")
            let full = ["--resume_from_checkpoint", place.file("a") + checkpoint]
            try place.train(TrainingPlace.full + still + full, output: "b")
            try expectSameTensors(place.file("a") + checkpoint, place.file("b") + checkpoint)

            try place.train(TrainingPlace.lora + fast, output: "c")
            let lora = place.file("c") + checkpoint
            try place.train(
                TrainingPlace.lora + still + ["--lora_checkpoint", lora], output: "d")
            try expectSameTensors(lora, place.file("d") + checkpoint)

            // One that is part of the model has an effect, and is no part of what is written.
            let preset = ["--preset_lora_path", lora, "--preset_lora_model", "dit"]
            try place.train(TrainingPlace.lora + still, output: "e")
            try place.train(TrainingPlace.lora + still + preset, output: "f")
            #expect(try place.losses("e") != place.losses("f"))
            try expectSameTensors(place.file("e") + checkpoint, place.file("f") + checkpoint)
        }

        @Test func aPartOfAModelIsTrainedAlone() throws {
            let place = try TrainingPlace(images: 1)
            let outcome = try place.train([
                "--trainable_models", "dit.proj_out,dit.single_transformer_blocks.1",
            ])
            #expect(!outcome.output.contains("--transformer"))
            let names = try tensorShapes(place.file("out/epoch-0.safetensors")).keys
            #expect(names.contains("proj_out.weight") && names.count == 5)
            #expect(
                names.allSatisfy {
                    $0 == "proj_out.weight" || $0.hasPrefix("single_transformer_blocks.1.")
                })
        }

        @Test func otherComponentsAreTrainedToo() throws {
            let place = try TrainingPlace(images: 1)
            let outcome = try place.train(["--trainable_models", "text_encoder,vae"])
            let names = try tensorShapes(place.file("out/epoch-0.safetensors")).keys
            for prefix in ["pipe.text_encoder_qwen3.model.", "pipe.vae."] {
                #expect(names.contains { $0.hasPrefix(prefix) })
            }
            #expect(!names.contains { !$0.hasPrefix("pipe.") })
            // No image is made from such a file, so none is proposed.
            #expect(!outcome.output.contains("flux2 generate"))
        }

        // MARK: Encoded samples

        @Test(arguments: ["sft_full", "sft_lora", "sft_edit", "sft_dev", "distill"])
        func encodedSamplesHoldWhatTheReferencesDo(_ name: String) throws {
            let place = try TrainingPlace(images: 0)
            try Self.writeGoldenRows(place, isEdit: name == "sft_edit")
            let isDistilled = name == "distill"
            let model = name == "sft_dev" ? "tiny-dev" : "tiny-klein"
            try place.train([
                "--model", Reference.ownModel(model), "--text_length", "512",
                "--dataset_metadata_path", place.data + "/rows.jsonl",
                "--task", isDistilled ? "direct_distill:data_process" : "sft:data_process",
                "--data_file_keys", "image,edit_image", "--extra_inputs",
                isDistilled
                    ? "num_inference_steps"
                    : name == "sft_edit" ? "edit_image,edit_image_auto_resize" : "",
                "--dtype", "bfloat16",
            ])
            #expect(place.contents("out") == ["0"])
            #expect(place.contents("out/0") == ["0.safetensors"])
            let path = place.file("out/0/0.safetensors")
            #expect(try tensorShapes(path) == Self.goldenShapes(name))
            let inputs = try SafetensorsFile(path: path).metadata["inputs"] ?? ""
            #expect(inputs.contains(#""embeddedGuidance":1"#))
            #expect(inputs.contains(#""inferenceSteps":4"#) == isDistilled)
        }

        private static func writeGoldenRows(_ place: TrainingPlace, isEdit: Bool) throws {
            let (image, edit) = ("exact.png", "init_128x96.png")
            for (name, image) in [
                (image, TrainingPlace.image(1, width: 64, height: 48)),
                (edit, TrainingPlace.image(2, width: 96, height: 128)),
            ] { try image.write(to: "\(place.data)/\(name)") }
            let row =
                #"{"image": "\#(image)", "prompt": "a fox", "edit_image": "\#(edit)", "#
                + #""edit_image_auto_resize": false, "num_inference_steps": 4}"#
            try row.write(
                toFile: place.data + "/rows.jsonl", atomically: true, encoding: .utf8)
        }

        /// All tensors of the golden's maps, but for the negative one, which repeats the positive.
        private static func goldenShapes(_ name: String) throws -> [String: String] {
            let golden = try Golden("training", "cached_dataset")
            let maps = try #require(golden.json[name] as? [String: Any])
            var shapes: [String: String] = [:]
            for (map, prefix) in [("inputs_shared", "shared."), ("inputs_posi", "positive.")] {
                for (key, value) in try #require(maps[map] as? [String: [String: Any]]) {
                    guard let type = value["tensor"] as? String else { continue }
                    let form = try #require(value["shape"] as? [Int])
                    shapes[prefix + key] = "\(type == "int64" ? "I64" : "BF16") \(form)"
                }
            }
            return shapes
        }

        // MARK: Encoding again

        private func encodedCount(_ outcome: Program.Outcome, of total: Int) -> Int {
            let kept = outcome.errors.firstMatch(of: /(\d+) samples were encoded before and stay/)
            return total - (kept.flatMap { Int($0.output.1) } ?? 0)
        }

        @Test func onlyWhatHasChangedIsEncodedAgain() throws {
            let place = try TrainingPlace(images: 4)
            #expect(encodedCount(try place.train(Self.encode), of: 4) == 4)
            let first = try (0..<4).map { try place.bytes("out/0/\($0).safetensors") }
            #expect(encodedCount(try place.train(Self.encode), of: 4) == 0)

            // Another image under the same name.
            try TrainingPlace.image(77).write(to: place.data + "/1.png", overwrite: true)
            #expect(encodedCount(try place.train(Self.encode), of: 4) == 1)
            let second = try (0..<4).map { try place.bytes("out/0/\($0).safetensors") }
            #expect(zip(first, second).map(==) == [true, false, true, true])

            // A longer caption whose end alone has changed, and a row less.
            let long = String(repeating: "word ", count: 30)
            func rows(_ end: String) -> String {
                "image,prompt\n0.png,picture 0\n1.png,picture 1\n2.png,\(long)\(end)\n"
            }
            let metadata = place.data + "/metadata.csv"
            try rows("fox").write(toFile: metadata, atomically: true, encoding: .utf8)
            #expect(encodedCount(try place.train(Self.encode), of: 3) == 1)
            #expect(
                place.contents("out/0") == ["0.safetensors", "1.safetensors", "2.safetensors"])
            try rows("dog").write(toFile: metadata, atomically: true, encoding: .utf8)
            #expect(encodedCount(try place.train(Self.encode), of: 3) == 1)
        }

        @Test func anEncodingThatWasEndedGoesOn() throws {
            let place = try TrainingPlace(images: 24)
            let running = try Program.start(place.arguments(Self.encode))
            let deadline = Date().addingTimeInterval(60)
            while place.contents("out/0").count < 4, Date() < deadline {
                Thread.sleep(forTimeInterval: 0.002)
            }
            running.kill()
            _ = try running.finish()
            let done = place.contents("out/0").filter { $0.hasSuffix(".safetensors") }
            for name in done { _ = try SafetensorsFile(path: place.file("out/0/" + name)) }
            let outcome = try place.train(Self.encode)
            #expect(encodedCount(outcome, of: 24) == 24 - done.count)
        }

        // MARK: Caches that are none

        private func expectRefusal(
            _ arguments: [String], saying words: String...,
            sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            let outcome = try Program.run(arguments)
            let line = outcome.errors.split(separator: "\n").first { $0.hasPrefix("Error: ") }
            #expect(outcome.status != 0, sourceLocation: sourceLocation)
            for word in words {
                #expect(
                    line?.contains(word) == true, "\(outcome.errors)",
                    sourceLocation: sourceLocation)
            }
        }

        @Test func foldersWithoutEncodedSamplesAreRefused() throws {
            let place = try TrainingPlace(images: 1)
            let train = second(place, "sft:train") + TrainingPlace.lora
            try expectRefusal(train, saying: place.file("cache"), "is no folder")
            let files = place.file("cache/0")
            try FileManager.default.createDirectory(
                atPath: files, withIntermediateDirectories: true)
            try expectRefusal(train, saying: place.file("cache"), "no encoded samples")
            try Data([1]).write(to: URL(fileURLWithPath: files + "/0.pth"))
            try expectRefusal(train, saying: ".pth", "data_process")
            #expect(place.contents("b").filter { $0.hasSuffix("safetensors") }.isEmpty)
        }

        @Test func encodedSamplesAreForTheirOwnTask() throws {
            let place = try TrainingPlace(images: 1)
            try place.train(Self.encode, output: "cache")
            try expectRefusal(
                second(place, "sft") + TrainingPlace.lora, saying: place.file("cache"),
                "sft:train")
            try expectRefusal(
                second(place, "sft:train") + TrainingPlace.lora + [
                    "--dataset_metadata_path", place.data + "/metadata.csv",
                ], saying: "--dataset_metadata_path", "sft:train")
            // Of distillation the rows have to say how many steps.
            try expectRefusal(
                second(place, "direct_distill:train") + TrainingPlace.lora,
                saying: "num_inference_steps")
        }

        @Test func aDamagedEncodedSampleIsNamed() throws {
            let place = try TrainingPlace(images: 1)
            try place.train(Self.encode, output: "cache")
            let path = place.file("cache/0/0.safetensors")
            let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
            try handle.truncate(atOffset: handle.seekToEnd() - 100)
            try handle.close()
            try expectRefusal(second(place, "sft:train") + TrainingPlace.lora, saying: path)
        }
    }
}
