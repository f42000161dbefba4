import Foundation
import Imaging
import Checkpoints
import TestSupport
import Testing

extension CommandLineTests {
    @Suite("flux2 refuses in one line and leaves nothing behind", .serialized)
    struct Refusals {
        /// Runs what must fail: one line that holds `words`, no image, no temporary file.
        private func expectRefusal(
            _ arguments: [String], saying words: String..., in folder: TemporaryFolder,
            sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            let before = folder.contents
            let outcome = try Program.run(arguments)
            let line = outcome.errors.split(separator: "\n").first { $0.hasPrefix("Error: ") }
            #expect(
                outcome.status != 0 && outcome.status < 128, "status \(outcome.status)",
                sourceLocation: sourceLocation)
            for word in words {
                #expect(
                    line?.contains(word) == true, "'\(word)' in: \(outcome.errors)",
                    sourceLocation: sourceLocation)
            }
            #expect(folder.contents == before, sourceLocation: sourceLocation)
        }

        @Test func aMissingModel() throws {
            let folder = try TemporaryFolder()
            try expectRefusal(
                tinyArguments(model: "/no/such/model", output: folder.file("a.png")),
                saying: "/no/such/model", in: folder)
        }

        @Test func aValueThatIsNoneOfMany() throws {
            let folder = try TemporaryFolder()
            try expectRefusal(
                tinyArguments(output: folder.file("a.png"), ["--weights", "int9"]),
                saying: "'int9'", "one of stored, float8, ", ", int8-row.", in: folder)
        }

        @Test func aModelWithoutAComponent() throws {
            let folder = try TemporaryFolder()
            let model = try folder.model()
            try FileManager.default.removeItem(atPath: model + "/vae")
            try expectRefusal(
                tinyArguments(model: model, output: folder.file("a.png")), saying: model, "vae",
                in: folder)
        }

        @Test func theTransformerOfAnotherModel() throws {
            let folder = try TemporaryFolder()
            try expectRefusal(
                tinyArguments(
                    output: folder.file("a.png"),
                    ["--transformer", Reference.ownModel("tiny-dev/transformer")]),
                saying: "width 96", "takes 120", in: folder)
        }

        @Test func aFolderThatHoldsSomethingElse() throws {
            let folder = try TemporaryFolder()
            try expectRefusal(
                tinyArguments(
                    output: folder.file("a.png"),
                    ["--transformer", Reference.ownModel("tiny-klein/vae")]),
                saying: "tiny-klein/vae", "expected a FLUX.2 transformer", "found a vae",
                in: folder)
        }

        @Test func aTruncatedCheckpoint() throws {
            let folder = try TemporaryFolder()
            let model = try folder.model()
            let file = model + "/vae/diffusion_pytorch_model.safetensors"
            let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: file))
            try handle.truncate(atOffset: handle.seekToEnd() - 1000)
            try handle.close()
            try expectRefusal(
                tinyArguments(model: model, output: folder.file("a.png")), saying: file,
                in: folder)
        }

        @Test func aCorruptCheckpoint() throws {
            let folder = try TemporaryFolder()
            let model = try folder.model()
            let file = model + "/vae/diffusion_pytorch_model.safetensors"
            let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: file))
            try handle.write(contentsOf: Data(repeating: 0xFF, count: 64))
            try handle.close()
            try expectRefusal(
                tinyArguments(model: model, output: folder.file("a.png")), saying: file,
                in: folder)
        }

        @Test func aConfigurationThatDoesNotFitTheWeights() throws {
            let folder = try TemporaryFolder()
            let model = try folder.model()
            let file = model + "/transformer/config.json"
            let text = try String(contentsOfFile: file, encoding: .utf8)
            try text.replacing("\"num_single_layers\": 3", with: "\"num_single_layers\": 4")
                .write(toFile: file, atomically: true, encoding: .utf8)
            try expectRefusal(
                tinyArguments(model: model, output: folder.file("a.png")),
                saying: "single_transformer_blocks.3.", in: folder)
            try text.replacing("\"num_single_layers\": 3", with: "\"num_single_layers\": \"x\"")
                .write(toFile: file, atomically: true, encoding: .utf8)
            try expectRefusal(
                tinyArguments(model: model, output: folder.file("a.png")),
                saying: file, "num_single_layers", in: folder)
        }

        @Test func theTokenizerOfAnotherModel() throws {
            let folder = try TemporaryFolder()
            try expectRefusal(
                tinyArguments(
                    output: folder.file("a.png"),
                    ["--tokenizer", Reference.ownModel("tiny-dev/tokenizer")]),
                saying: "tiny-dev/tokenizer", in: folder)
        }

        @Test(arguments: ["0", "-16", "1000000000"])
        func sizesOutOfRange(_ size: String) throws {
            let folder = try TemporaryFolder()
            try expectRefusal(
                tinyArguments(output: folder.file("a.png"), ["--height=\(size)"]),
                saying: "height", size, in: folder)
        }

        @Test(arguments: ["-0.1", "nan", "inf"])
        func stepCachesThatAreNoThreshold(_ value: String) throws {
            let folder = try TemporaryFolder()
            try expectRefusal(
                tinyArguments(output: folder.file("a.png"), ["--step-cache=\(value)"]),
                saying: "step-cache", "a number from 0 to", value, in: folder)
        }

        @Test func zeroSteps() throws {
            let folder = try TemporaryFolder()
            try expectRefusal(
                tinyArguments(output: folder.file("a.png"), ["--steps", "0"]), saying: "steps",
                in: folder)
        }

        @Test func anUnknownTypeDeviceOrQuality() throws {
            let folder = try TemporaryFolder()
            let output = folder.file("a.jpg")
            try expectRefusal(
                tinyArguments(output: output, ["--dtype", "int3"]), saying: "int3", in: folder)
            try expectRefusal(
                tinyArguments(output: output, ["--device", "tpu"]), saying: "tpu", in: folder)
            try expectRefusal(
                tinyArguments(output: output, ["--quality", "101"]), saying: "101", in: folder)
        }

        @Test func aDeviceThatIsNotThere() throws {
            let folder = try TemporaryFolder()
            try expectRefusal(
                tinyArguments(output: folder.file("a.png"), ["--device", "cuda:77"]),
                saying: "cuda:77", in: folder)
        }

        /// Writes a LoRA for one module with matrices of given shapes and one value.
        private func lora(
            _ folder: TemporaryFolder, _ name: String, down: [Int], up: [Int], value: Float = 0.5
        ) throws -> String {
            let module = "transformer.transformer_blocks.0.attn.to_q"
            let one = withUnsafeBytes(of: value.bitPattern.littleEndian, Array.init)
            let path = folder.file(name + ".safetensors")
            try SafetensorsWriter.write(
                to: path,
                tensors: [("lora_A", down), ("lora_B", up)].map { part, shape in
                    TensorToWrite(
                        name: "\(module).\(part).weight", type: .F32, shape: shape,
                        bytes: (0..<shape.reduce(1, *)).flatMap { _ in one })
                }, requiresFinite: false)
            return path
        }

        @Test func lorasThatCannotBeUsed() throws {
            let folder = try TemporaryFolder()
            let output = folder.file("a.png")
            func expect(_ path: String, saying words: String) throws {
                try expectRefusal(
                    tinyArguments(output: output, ["--lora", path]), saying: path, words,
                    in: folder)
            }
            let empty = folder.file("empty.safetensors")
            try Data().write(to: URL(fileURLWithPath: empty))
            try expect(empty, saying: "expected at least 8 bytes, found 0")
            // A header that says it is longer than the file, and one with a place past its end.
            for (index, header) in [
                (UInt64.max >> 1, "{}"),
                (90, #"{"x.lora_A.weight":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#),
            ].enumerated() {
                let path = folder.file("hostile\(index).safetensors")
                let text = header.1.padding(toLength: 90, withPad: " ", startingAt: 0)
                let bytes = withUnsafeBytes(of: header.0.littleEndian) { Data($0) }
                try (bytes + Data(text.utf8)).write(to: URL(fileURLWithPath: path))
                try expect(path, saying: ["announces a header of", "is truncated"][index])
            }
            try expect(
                lora(folder, "wide", down: [2, 4096], up: [4096, 2]),
                saying: "is it the LoRA of another model?")
            try expect(
                lora(folder, "ranks", down: [2, 64], up: [64, 3]),
                saying: "has matrices [64, 3] and [2, 64], which cannot be multiplied")
            try expect(
                lora(folder, "nan", down: [2, 64], up: [64, 2], value: .nan),
                saying: "to_q.lora_A.weight' holds values that are not finite")
        }

        @Test(arguments: [
            ("transformer/diffusion_pytorch_model", "transformer_blocks.0.attn.to_q.weight"),
            ("vae/diffusion_pytorch_model", "decoder.conv_in.weight"),
            ("text_encoder/model-00001-of-00002", "model.embed_tokens.weight"),
        ])
        func weightsThatAreNoNumbers(_ file: String, _ key: String) throws {
            let folder = try TemporaryFolder()
            let path = try folder.model() + "/" + file + ".safetensors"
            let place = try SafetensorsFile(path: path)
            let info = try #require(place[key])
            let start = place.bytes(of: info).startIndex
            #expect(start == 0)
            let whole = try Data(contentsOf: URL(fileURLWithPath: path))
            let offset = whole.count - place.tensors.reduce(0) { $0 + $1.byteCount }
            var broken = whole
            let range = info.range
            for index in stride(from: 0, to: range.count, by: info.type.byteCount) {
                let at = offset + range.lowerBound + index + info.type.byteCount - 1
                broken[at] = 0x7F
                broken[at - 1] = 0xC0
            }
            try broken.write(to: URL(fileURLWithPath: path))
            try expectRefusal(
                tinyArguments(
                    model: folder.file("tiny-klein"), output: folder.file("a.png")),
                saying: path, "'\(key)' holds values that are not finite", in: folder)
        }

        private static func fixture(_ name: String) -> String {
            URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .deletingLastPathComponent().path + "/ImagingTests/Fixtures/" + name
        }

        @Test(arguments: ["--input-image", "--edit-image", "--inpaint-mask"])
        func imagesThatCannotBeRead(option: String) throws {
            let folder = try TemporaryFolder()
            let text = folder.file("text.png")
            try "no image".write(toFile: text, atomically: true, encoding: .utf8)
            let cases = [
                (Self.fixture("animated.webp"), "animated"), (text, "PNG"),
                (folder.file("absent.png"), "no such file"), (Reference.own, "cannot"),
            ]
            let start =
                option == "--inpaint-mask"
                ? ["--input-image", Reference.own + "/inputs/init_64x64.png"] : []
            for (path, words) in cases {
                try expectRefusal(
                    tinyArguments(output: folder.file("a.png"), start + [option, path]),
                    saying: path, words, in: folder)
            }
        }

        @Test func imagesOfOtherSizes() throws {
            let folder = try TemporaryFolder()
            let thin = folder.file("thin.png")
            try Image(width: 2000, height: 20, red: 9, green: 8, blue: 7).write(to: thin)
            let start = ["--input-image", Reference.own + "/inputs/init_64x64.png"]
            let long = folder.file("long.png")
            try Image(width: 20000, height: 20, red: 9, green: 8, blue: 7).write(to: long)
            let cases = [
                (["--edit-image", long], "at most 16384 on a side", "20000x20"),
                (["--input-image", thin], "64x64 pixels as the image", "2000x20"),
                (start + ["--inpaint-mask", thin], "of the image's proportions", "2000x20"),
                (
                    ["--edit-image", thin, "--no-edit-image-auto-resize"], "multiples of 16",
                    "2000x20"
                ),
            ]
            for (options, expected, found) in cases {
                try expectRefusal(
                    tinyArguments(output: folder.file("a.png"), options), saying: expected, found,
                    in: folder)
            }
        }

        /// What is odd but has a meaning is done, and said.
        @Test func oddImagesThatAreUsed() throws {
            let folder = try TemporaryFolder()
            let many = Array(
                repeating: ["--edit-image", Reference.own + "/inputs/exact.png"], count: 30)
            let thirty = try Program.run(
                tinyArguments(
                    output: folder.file("a.png"),
                    many.flatMap(\.self) + ["--no-edit-image-auto-resize"]))
            #expect(thirty.status == 0, "\(thirty.errors)")
            #expect(thirty.errors.contains("references: 30, "))
            let cmyk = try Program.run(
                tinyArguments(
                    output: folder.file("b.png"),
                    ["--input-image", Self.fixture("cmyk.jpg"), "--fit-input-image"]))
            #expect(cmyk.status == 0, "\(cmyk.errors)")
        }

        @Test func anOutputThatCannotBeWritten() throws {
            let folder = try TemporaryFolder()
            try expectRefusal(
                tinyArguments(output: "/proc/a.png"), saying: "/proc/a.png", in: folder)
            try expectRefusal(
                tinyArguments(output: "/proc/no/folder/a.png"), saying: "/proc/no", in: folder)
            let file = folder.file("file")
            try "x".write(toFile: file, atomically: true, encoding: .utf8)
            try expectRefusal(
                tinyArguments(output: file + "/a.png"), saying: file, in: folder)
            try expectRefusal(
                tinyArguments(output: folder.file("a.xyz")), saying: "xyz", in: folder)
        }

        @Test func replacingAnImageUnlessForced() throws {
            let folder = try TemporaryFolder()
            let output = folder.file("a.png")
            try "precious".write(toFile: output, atomically: true, encoding: .utf8)
            try expectRefusal(
                tinyArguments(output: output), saying: output, "--force replaces it", in: folder)
            #expect(try String(contentsOfFile: output, encoding: .utf8) == "precious")
            #expect(try Program.run(tinyArguments(output: output, ["--force"])).status == 0)
        }

        @Test(.enabled(if: SmallDisk.isAvailable, "no tmpfs can be mounted here"))
        func aFullDisk() throws {
            let folder = try TemporaryFolder()
            let disk = try SmallDisk(folder, size: "16k")
            defer { disk.unmount() }
            try expectRefusal(
                tinyArguments(output: disk.path + "/a.png", ["--height", "256", "--width", "256"]),
                saying: disk.path + "/a.png", "space", in: folder)
            #expect(try FileManager.default.contentsOfDirectory(atPath: disk.path).isEmpty)
        }
    }

    @Suite("Ctrl-C", .serialized)
    struct Interruption {
        @Test func endsTheRunWithin2SecondsAndLeavesNoFile() throws {
            let folder = try TemporaryFolder()
            let running = try Program.start(
                tinyArguments(output: folder.file("a.png"), ["--steps", "10000"]))
            try interruptWhileDenoising(running, folder)
        }

        /// `FLUX2_REAL_MODEL` names a checkpoint of real size, else steps are long by their tokens.
        @Test func endsTheRunWithinAStep() throws {
            let model = ProcessInfo.processInfo.environment["FLUX2_REAL_MODEL"]
            let folder = try TemporaryFolder()
            let side = model == nil ? "1024" : "512"
            let running = try Program.start([
                "generate", "a cat", "--model", model ?? Reference.ownModel("tiny-klein"),
                "--height", side, "--width", side, "--steps", "1000", "--threads", "1",
                "--output", folder.file("a.png"),
            ])
            try interruptWhileDenoising(running, folder, afterwards: model == nil ? 0.2 : 3)
        }

        private func interruptWhileDenoising(
            _ running: Program.Running, _ folder: TemporaryFolder, afterwards: Double = 0
        ) throws {
            let deadline = Date().addingTimeInterval(300)
            while !running.errors.contains("transformer: ") && Date() < deadline {
                Thread.sleep(forTimeInterval: 0.02)
            }
            Thread.sleep(forTimeInterval: afterwards)
            let before = running.processorSeconds
            var spent = before
            running.interrupt()
            // Seconds of two cores' work, since others may have them meanwhile.
            while running.isRunning {
                spent = max(spent, running.processorSeconds)
                Thread.sleep(forTimeInterval: 0.01)
            }
            let outcome = try running.finish()
            #expect(outcome.status == 130, "\(outcome.errors)")
            #expect(spent - before < 2 * 2)
            #expect(folder.contents.isEmpty)
        }
    }
}
