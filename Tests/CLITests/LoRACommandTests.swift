import Foundation
import Imaging
import LoRA
import Offloading
import Checkpoints
import TestSupport
import Testing
import Torch

extension CommandLineTests {
    @Suite("flux2 lora", .serialized)
    struct LoRATools {
        private let folder: TemporaryFolder
        private let model = Reference.ownModel("tiny-klein")

        init() throws { folder = try TemporaryFolder() }

        private func input(_ name: String) -> String {
            Reference.own + "/inputs/lora/\(name).safetensors"
        }

        private func run(_ arguments: [String]) throws -> Program.Outcome {
            let outcome = try Program.run(["lora"] + arguments)
            #expect(outcome.status == 0, "\(arguments): \(outcome.errors)")
            return outcome
        }

        /// Every tensor's bytes, by name.
        private func contents(_ path: String) throws -> [String: [UInt8]] {
            let file = try SafetensorsFile(path: path)
            return Dictionary(
                uniqueKeysWithValues: file.tensors.map { ($0.name, Array(file.bytes(of: $0))) })
        }

        /// From each naming through each other one and back, nothing is lost.
        @Test(arguments: LoRADialect.allCases)
        func conversionsAndBackLoseNothing(dialect: LoRADialect) throws {
            // One with matrices of their own for q, k and v, one where they share one.
            for source in ["diffsynth", "bfl_alpha"] {
                let start = folder.file("start.safetensors")
                let there = folder.file("there/adapter_model.safetensors")
                let back = folder.file("back.safetensors")
                try FileManager.default.createDirectory(
                    atPath: folder.file("there"), withIntermediateDirectories: true)
                let options = ["--model", model, "--force"]
                _ = try run(["convert", input(source), "--output", start] + options)
                _ = try run(
                    ["convert", start, "--to", dialect.rawValue, "--output", there] + options)
                _ = try run(["convert", there, "--output", back] + options)
                #expect(try contents(back) == contents(start), "\(source) by \(dialect)")
                #expect(try contents(start).count >= 60)
            }
        }

        /// Folded in for good, LoRAs give the image that they give folded in for a run.
        @Test func foldedIntoACheckpoint() throws {
            let base = try transformerOf32Bits()
            let loras = [input("diffsynth") + ":0.7", input("kohya")]
            let merged = folder.file("merged.safetensors")
            let outcome = try run(["merge"] + loras + ["--into", base, "--output", merged])
            #expect(outcome.output.contains("30 weights changed"))
            let common = ["--dtype", "float32", "--threads", "1"]
            let images = try [
                common + ["--transformer", merged],
                common + ["--transformer", base, "--lora-mode", "fused"]
                    + loras.flatMap { ["--lora", $0] },
                common + ["--transformer", base],
            ].enumerated().map { index, options in
                let path = folder.file("\(index).png")
                let made = try Program.run(
                    tinyArguments(model: model, output: path, options))
                #expect(made.status == 0, "\(made.errors)")
                return try Image(contentsOf: path)
            }
            #expect(images[0] == images[1])
            #expect(images[0] != images[2])
            let eight = try Program.run(
                ["lora", "merge", input("diffsynth"), "--into"]
                    + [Reference.ownModel("tiny-klein-fp8") + "/transformer", "--output", merged]
                    + ["--force"])
            #expect(eight.status == 1)
            #expect(eight.errors.contains("expected weights of 16 or 32 bits"))
            let smaller = try Program.run(
                ["lora", "merge", input("diffsynth"), "--into"]
                    + [Reference.ownModel("tiny-klein-f32") + "/transformer", "--output", "x"])
            #expect(smaller.errors.contains("16 of its modules, such as"))
            let both = try Program.run(
                ["lora", "merge", input("diffsynth"), "--into", base, "--to", "peft"]
                    + ["--output", merged])
            #expect(both.status != 0 && both.errors.contains("--into contradicts"))
        }

        /// The tiny model's, so that nothing is rounded on the way.
        private func transformerOf32Bits() throws -> String {
            let copy = folder.file("base")
            try FileManager.default.createDirectory(
                atPath: copy, withIntermediateDirectories: true)
            try FileManager.default.copyItem(
                atPath: model + "/transformer/config.json", toPath: copy + "/config.json")
            let file = try SafetensorsFile(
                path: model + "/transformer/diffusion_pytorch_model.safetensors")
            try SafetensorsWriter.write(
                to: copy + "/model.safetensors",
                tensors: file.tensors.map { info in
                    let values = try Tensor.mapped(info, of: file).to(dtype: .float32)
                    return TensorToWrite(
                        name: info.name, type: .F32, shape: info.shape,
                        bytes: try values.withBytes { Array($0) })
                })
            return copy
        }

        @Test func inspectTellsNamingRanksAndScales() throws {
            let outcome = try run(["inspect", input("kohya"), "--model", model, "--json"])
            let report = try #require(
                try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
                    as? [String: Any])
            #expect(report["dialect"] as? String == "kohya")
            #expect(report["matched"] as? Int == 30)
            #expect(report["ranks"] as? [String: Int] == ["4": 30])
            #expect(report["scales"] as? [String: Int] == ["0.75": 30])
            #expect((report["unmatched"] as? [String])?.isEmpty == true)
        }

        @Test func inspectWithoutAModelNamesThePublishedOneOrNone() throws {
            let outcome = try run(["inspect", input("diffsynth")])
            #expect(outcome.output.contains("model       none of the published ones"))
        }

        /// A merged file works as its parts with their weights do together.
        @Test func mergedFilesWorkAsTheirPartsTogether() throws {
            let merged = folder.file("merged.safetensors")
            _ = try run([
                "merge", input("diffsynth_no_adapter_name"), input("kohya") + ":-0.5", "--model",
                model, "--output", merged,
            ])
            let images = try [
                ["--lora", merged],
                ["--lora", input("diffsynth_no_adapter_name"), "--lora", input("kohya") + ":-0.5"],
                [],
            ].enumerated().map { index, loras in
                let latents = folder.file("\(index).safetensors")
                let outcome = try Program.run(
                    tinyArguments(
                        output: folder.file("\(index).png"),
                        ["--dtype", "float32", "--save-latents", latents] + loras))
                #expect(outcome.status == 0, "\(outcome.errors)")
                let file = try SafetensorsFile(path: latents)
                return try Tensor.mapped(#require(file["latents"]), of: file)
            }
            #expect(try distance(images[0], images[1]) < 1e-3)
            #expect(try distance(images[0], images[2]) > 1e-2)
        }

        private func distance(_ a: Tensor, _ b: Tensor) throws -> Double {
            try (a - b).square().sum().item().squareRoot()
                / b.square().sum().item().squareRoot()
        }

        /// What was added to a checkpoint is found again, to the rounding of its weights.
        @Test func extractionFindsWhatWasAdded() throws {
            let key = "transformer_blocks.0.attn.to_q.weight"
            let tuned = folder.file("tuned")
            try FileManager.default.copyItem(atPath: model + "/transformer", toPath: tuned)
            let path = tuned + "/diffusion_pytorch_model.safetensors"
            let file = try SafetensorsFile(path: path)
            let generator = try Generator(seed: 4)
            let added = try Tensor.randn([64, 3], generator: generator)
                .matmul(.randn([3, 64], generator: generator))
            try SafetensorsWriter.write(
                to: path,
                tensors: file.tensors.map { info in
                    let stored = try Tensor.mapped(info, of: file).to(dtype: .float32)
                    let tensor = info.name == key ? try stored + added : stored
                    return TensorToWrite(
                        name: info.name, type: .F32, shape: info.shape,
                        bytes: try tensor.contiguous().withBytes { Array($0) })
                })
            let output = folder.file("found.safetensors")
            let outcome = try run(["extract", model, tuned, "--rank", "3", "--output", output])
            #expect(outcome.output.contains("1 weights"))
            let targets = AdapterTargets([key: [64, 64]])
            let found = try LoRAFile(path: output).changes(for: targets)
            let delta = try #require(found.adapters[key]).delta
            #expect(delta.rank == 3)
            #expect(try distance(delta.matrix(like: .zeros([1])), added) < 1e-5)
        }

        /// Names alone can be changed without the model: the file has the shapes.
        @Test(arguments: LoRADialect.allCases)
        func convertNeedsNoModel(dialect: LoRADialect) throws {
            for source in ["diffsynth", "bfl_alpha"] {
                let outputs = try [[], ["--model", model]].map { options in
                    let output = folder.file("\(source)\(options.count)/adapter_model.safetensors")
                    try FileManager.default.createDirectory(
                        atPath: (output as NSString).deletingLastPathComponent,
                        withIntermediateDirectories: true)
                    _ = try run(
                        ["convert", input(source), "--to", dialect.rawValue, "-o", output] + options
                    )
                    return try contents(output)
                }
                #expect(outputs[0] == outputs[1] && !outputs[0].isEmpty)
            }
            let report = try run(["inspect", input("bfl_alpha"), "--json"])
            let whole = try run(["inspect", input("bfl_alpha"), "--json", "--model", model])
            for key in ["matched", "ranks"] {
                let values = try [report, whole].map { outcome in
                    try #require(
                        JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
                            as? [String: Any])[key].map { "\($0)" }
                }
                #expect(values[0] == values[1] && values[0] != nil)
            }
        }

        @Test func convertKeepsWhatAFileSaysOfItself() throws {
            let source = try SafetensorsFile(path: input("diffsynth"))
            let noted = folder.file("noted.safetensors")
            try SafetensorsWriter.write(
                to: noted,
                tensors: source.tensors.map { info in
                    TensorToWrite(
                        name: info.name, type: info.type, shape: info.shape,
                        bytes: Array(source.bytes(of: info)))
                },
                metadata: [
                    "modelspec.title": "Foxes", "flux2.base_model": "klein-4b",
                    "sshs_model_hash": "12", "lora_adapter_metadata": "{}",
                ])
            let output = folder.file("kept.safetensors")
            _ = try run(["convert", noted, "--to", "kohya", "-o", output, "--model", model])
            let kept = try SafetensorsFile(path: output).metadata
            #expect(
                kept == [
                    "modelspec.title": "Foxes", "flux2.base_model": "klein-4b", "format": "pt",
                ])
            // A name that the file gives is believed, so that a wrong one is told.
            let wrong = try Program.run([
                "lora", "convert", noted, "-o", folder.file("x.safetensors"),
            ])
            #expect(wrong.status == 1 && wrong.errors.contains("the LoRA of another model"))
        }

        @Test func pefTGetsAFolder() throws {
            for name in ["one", "two"] {
                _ = try run([
                    "convert", input("diffsynth"), "--to", "peft", "-o", folder.file(name),
                ])
                let made = try FileManager.default.contentsOfDirectory(atPath: folder.file(name))
                #expect(made.sorted() == ["adapter_config.json", "adapter_model.safetensors"])
            }
            #expect(try contents(folder.file("one/adapter_model.safetensors")).count >= 60)
            let file = try Program.run([
                "lora", "convert", input("diffsynth"), "--to", "peft", "-o",
                folder.file("x.safetensors"),
            ])
            #expect(file.status == 1 && file.errors.contains("PEFT loads a folder"))
            #expect(folder.contents == ["one", "two"])
        }

        @Test func aFileThatExistsStays() throws {
            let output = folder.file("x.safetensors")
            _ = FileManager.default.createFile(atPath: output, contents: Data("mine".utf8))
            let outcome = try Program.run([
                "lora", "convert", input("diffsynth"), "--model", model, "--output", output,
            ])
            #expect(outcome.status == 1 && outcome.errors.contains(output))
            #expect(try String(contentsOfFile: output, encoding: .utf8) == "mine")
        }
    }
}

@Suite("Singular values")
struct ExtractionTests {
    /// The random way agrees with the exact one where the spectrum falls.
    @Test func ofALargeMatrix() throws {
        let generator = try Generator(seed: 9)
        let left = try Tensor.randn([300, 8], generator: generator)
        let right = try Tensor.randn([8, 400], generator: generator)
        let noise = try Tensor.randn([300, 400], generator: generator) * 0.01
        let matrix = try left.matmul(right) + noise
        let found = try WeightDelta.extracted(from: matrix, rank: 8)
        let exact = try matrix.singularValues()
        let rest: Double = try exact.s.slice(8..<300, along: 0).square().sum().item().squareRoot()
        let norm = try matrix.square().sum().item().squareRoot()
        #expect(abs(found.error - rest / norm) < 1e-4)
    }
}
