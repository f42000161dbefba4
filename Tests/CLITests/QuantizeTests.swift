import Foundation
import Imaging
import Offloading
import Checkpoints
import TestSupport
import Testing

extension CommandLineTests {
    @Suite("flux2 quantize", .serialized)
    struct QuantizeCommand {
        private let folder: TemporaryFolder
        private let output: String
        private let model = Reference.ownModel("tiny-klein")

        init() throws {
            folder = try TemporaryFolder()
            output = folder.file("model.safetensors")
        }

        @Test func writesAFileToGenerateWith() throws {
            let report = folder.file("report.json")
            let outcome = try Program.run([
                "quantize", model, output, "--format", "float8-tensor", "--report", report,
            ])
            #expect(outcome.status == 0, "\(outcome.errors)")
            let lines = outcome.output.split(separator: "\n")
            #expect(lines.count == 32)
            #expect(
                lines[30].hasPrefix("30 weights quantized as float8-tensor, 23 kept; rms error 2."))
            #expect(lines[31] == "\(output): use it with --transformer")
            #expect(folder.contents == ["config.json", "model.safetensors", "report.json"])
            let json = try #require(
                JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: report)))
                    as? [String: Any])
            let layers = try #require(json["layers"] as? [[String: Any]])
            #expect(layers.count == 30 && lines[0].hasPrefix(layers[0]["name"] as? String ?? "?"))
            #expect(json["source_bytes"] as? Int == 971_648)
            try expectCloseImages()
        }

        /// Images of the tiny model are noise; those of its quantized one are nearly the same noise.
        private func expectCloseImages() throws {
            let images = try [["--transformer", output], []].enumerated().map { index, options in
                let path = folder.file("\(index).png")
                let made = try Program.run(
                    tinyArguments(model: model, output: path, ["--dtype", "float32"] + options))
                #expect(made.status == 0, "\(made.errors)")
                return try Image(contentsOf: path).pixels
            }
            let squares = zip(images[0], images[1]).map { pow(Double($0) - Double($1), 2) }
            let rms = (squares.reduce(0, +) / Double(squares.count)).squareRoot()
            #expect(0 < rms && rms < 4, "\(rms)")
        }

        @Test func writesATextEncoder() throws {
            let outcome = try Program.run([
                "quantize", model, output, "--format", "int8", "--part", "text_encoder",
            ])
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(outcome.output.contains("use it with --text-encoder"))
            let made = try Program.run(
                tinyArguments(output: folder.file("a.png"), ["--text-encoder", output]))
            #expect(made.status == 0, "\(made.errors)")
        }

        @Test func refusesInOneLineAndLeavesNothing() throws {
            let other = Reference.ownModel("tiny-klein-fp8")
            for (arguments, words) in [
                ([other, output, "--format", "int8"], "of 8 bits"),
                ([model, output, "--format", "int4"], "int4"),
                ([model, output, "--format", "int8", "--all"], "--all is for"),
                ([model, output, "--format", "int8-group"], "groups have to divide"),
                ([model, output, "--format", "int8", "--exclude", "x"], "no weight is called 'x'"),
                ([model, folder.file("a"), "--format", "int8"], "must end in .safetensors"),
                ([model, folder.file("no/a.safetensors"), "--format", "int8"], "no such"),
                ([folder.path, output, "--format", "int8"], folder.path),
            ] {
                let outcome = try Program.run(["quantize"] + arguments)
                #expect(outcome.status != 0 && outcome.status < 128)
                #expect(outcome.errors.contains(words), "'\(words)' in: \(outcome.errors)")
                #expect(folder.contents.isEmpty)
            }
        }

        @Test func aFileThatExistsStays() throws {
            _ = FileManager.default.createFile(atPath: output, contents: Data("mine".utf8))
            let outcome = try Program.run(["quantize", model, output, "--format", "int8"])
            #expect(outcome.status == 1 && outcome.errors.contains(output))
            #expect(try String(contentsOfFile: output, encoding: .utf8) == "mine")
            let forced = try Program.run(
                ["quantize", model, output, "--format", "int8", "--force"])
            #expect(forced.status == 0)
        }

        @Test(.enabled(if: SmallDisk.isAvailable, "no tmpfs can be mounted here"))
        func aFullDisk() throws {
            let disk = try SmallDisk(folder, size: "256k")
            defer { disk.unmount() }
            let outcome = try Program.run(
                ["quantize", model, disk.path + "/a.safetensors", "--format", "int8"])
            #expect(outcome.status == 1 && outcome.errors.contains("no space left"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: disk.path).isEmpty)
        }

        @Test func interruptedItLeavesNothing() throws {
            let running = try startOnALargeModel()
            running.interrupt()
            let outcome = try running.finish()
            #expect(outcome.status == 130, "\(outcome.errors)")
            #expect(try contents(of: "out").isEmpty)
        }

        /// What is left of a program that was killed is hidden, and no model.
        @Test func killedItLeavesNothingThatLoads() throws {
            let running = try startOnALargeModel()
            running.kill()
            #expect(try running.finish().status == SIGKILL)
            let rest = try contents(of: "out")
            #expect(rest.allSatisfy { $0.hasPrefix(".") })
            #expect(throws: SafetensorsError.self) { try Checkpoint(path: folder.file("out")) }
        }

        private func contents(of name: String) throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: folder.file(name))
        }

        /// - Returns: the program, which has begun to write.
        private func startOnALargeModel() throws -> Program.Running {
            try LargeTransformer.write(to: folder.file("large.safetensors"))
            let place = folder.file("out")
            try FileManager.default.createDirectory(
                atPath: place, withIntermediateDirectories: true)
            let running = try Program.start([
                "quantize", folder.file("large.safetensors"), place + "/model.safetensors",
                "--format", "int8",
            ])
            let deadline = Date().addingTimeInterval(60)
            while try contents(of: "out").isEmpty, running.isRunning, Date() < deadline {
                Thread.sleep(forTimeInterval: 0.001)
            }
            return running
        }
    }
}

/// Zeros in the shape of a transformer of 110 million weights.
private enum LargeTransformer {
    static func write(to path: String) throws {
        let width = 1024
        var shapes = [
            "x_embedder": [width, 128], "context_embedder": [width, 96],
            "time_guidance_embed.timestep_embedder.linear_1": [width, 256],
            "time_guidance_embed.timestep_embedder.linear_2": [width, width],
            "double_stream_modulation_img.linear": [6 * width, width],
            "double_stream_modulation_txt.linear": [6 * width, width],
            "single_stream_modulation.linear": [3 * width, width],
            "norm_out.linear": [2 * width, width], "proj_out": [128, width],
        ]
        for block in 0..<2 {
            let place = "transformer_blocks.\(block)."
            for name in ["to_q", "to_k", "to_v", "to_out.0", "to_add_out"]
                + ["add_q_proj", "add_k_proj", "add_v_proj"]
            { shapes[place + "attn.\(name)"] = [width, width] }
            for name in ["norm_q", "norm_k", "norm_added_q", "norm_added_k"] {
                shapes[place + "attn.\(name)"] = [64]
            }
            for name in ["ff", "ff_context"] {
                shapes[place + "\(name).linear_in"] = [6 * width, width]
                shapes[place + "\(name).linear_out"] = [width, 3 * width]
            }
        }
        for block in 0..<4 {
            let place = "single_transformer_blocks.\(block).attn."
            shapes[place + "to_qkv_mlp_proj"] = [9 * width, width]
            shapes[place + "to_out"] = [width, 4 * width]
            for name in ["norm_q", "norm_k"] { shapes[place + name] = [64] }
        }
        try SafetensorsWriter.write(
            to: path,
            tensors: shapes.map { name, shape in
                TensorToWrite(name: name + ".weight", type: .BF16, shape: shape) { sink in
                    let bytes = [UInt8](repeating: 0, count: shape.reduce(2, *))
                    try bytes.withUnsafeBytes { try sink($0) }
                }
            })
    }
}
