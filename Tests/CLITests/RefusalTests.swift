import Foundation
import TestSupport
import Testing

extension CommandLineTests {
    @Suite("flux2 refuses in one line and leaves nothing behind", .serialized)
    struct Refusals {
        /// Runs what must fail: one line that holds `words`, no picture, no temporary file.
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

        @Test func anOutputThatCannotBeWritten() throws {
            let folder = try TemporaryFolder()
            try expectRefusal(
                tinyArguments(output: "/proc/a.png"), saying: "/proc/a.png", in: folder)
            try expectRefusal(
                tinyArguments(output: "/no/such/folder/a.png"), saying: "/no/such/folder",
                in: folder)
            try expectRefusal(
                tinyArguments(output: folder.file("a.xyz")), saying: "xyz", in: folder)
        }

        @Test func replacingAPictureUnlessForced() throws {
            let folder = try TemporaryFolder()
            let output = folder.file("a.png")
            try "precious".write(toFile: output, atomically: true, encoding: .utf8)
            try expectRefusal(tinyArguments(output: output), saying: output, in: folder)
            #expect(try String(contentsOfFile: output, encoding: .utf8) == "precious")
            #expect(try Program.run(tinyArguments(output: output, ["--force"])).status == 0)
        }

        @Test(.enabled(if: geteuid() == 0 && FileManager.default.fileExists(atPath: "/bin/mount")))
        func aFullDisk() throws {
            let folder = try TemporaryFolder()
            let small = folder.file("small")
            try FileManager.default.createDirectory(
                atPath: small, withIntermediateDirectories: true)
            guard try shell("mount -t tmpfs -o size=16k tmpfs \(small)") == 0 else {
                print("skipped: no tmpfs can be mounted here")
                return
            }
            defer { _ = try? shell("umount \(small)") }
            try expectRefusal(
                tinyArguments(output: small + "/a.png", ["--height", "256", "--width", "256"]),
                saying: small + "/a.png", "space", in: folder)
            #expect(try FileManager.default.contentsOfDirectory(atPath: small).isEmpty)
        }

        private func shell(_ command: String) throws -> Int32 {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = ["-c", command + " 2>/dev/null"]
            try process.run()
            process.waitUntilExit()
            return process.terminationStatus
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

        /// `FLUX2_REAL_MODEL` names a checkpoint of real size.
        @Test(.enabled(if: ProcessInfo.processInfo.environment["FLUX2_REAL_MODEL"] != nil))
        func endsTheRunOfAModelOfRealSize() throws {
            let model = try #require(ProcessInfo.processInfo.environment["FLUX2_REAL_MODEL"])
            let folder = try TemporaryFolder()
            let running = try Program.start([
                "generate", "a cat", "--model", model, "--height", "512", "--width", "512",
                "--steps", "4", "--output", folder.file("a.png"),
            ])
            try interruptWhileDenoising(running, folder, afterwards: 3)
        }

        private func interruptWhileDenoising(
            _ running: Program.Running, _ folder: TemporaryFolder, afterwards: Double = 0
        ) throws {
            let deadline = Date().addingTimeInterval(300)
            while !running.errors.contains("transformer: ") && Date() < deadline {
                Thread.sleep(forTimeInterval: 0.02)
            }
            Thread.sleep(forTimeInterval: afterwards)
            let sent = Date()
            running.interrupt()
            let outcome = try running.finish()
            #expect(outcome.status == 130, "\(outcome.errors)")
            #expect(Date().timeIntervalSince(sent) < 2)
            #expect(folder.contents.isEmpty)
        }
    }
}
