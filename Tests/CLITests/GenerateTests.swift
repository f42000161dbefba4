import Foundation
import Imaging
import Offloading
import Checkpoints
import TestSupport
import Testing
import Torch

@Suite("flux2")
struct CommandLineTests {
    @Suite("flux2 generate", .serialized)
    struct Generate {
        @Test func reachesTheReferencesLatentsThroughTheCommandLine() throws {
            let folder = try TemporaryFolder()
            var cases = 0
            for name in try Reference.cases(of: "pipeline")
            where name.hasSuffix("_f32") {
                let golden = try Golden("pipeline", name)
                let latents = folder.file(name + ".safetensors")
                let outcome = try Program.run(
                    arguments(golden) + [
                        "--output", folder.file(name + ".png"), "--save_latents", latents,
                    ])
                #expect(outcome.status == 0, "\(outcome.errors)")
                let file = try SafetensorsFile(path: latents)
                let found = try Tensor.mapped(#require(file["latents"]), of: file)
                #expect(file["noise"]?.shape == found.shape)
                let tokens = try found.reshaped([1, found.size(1), -1]).transposed(1, 2)
                try golden.expect(tokens, "final_latents")
                let image = try Image(contentsOf: folder.file(name + ".png"))
                try golden.expect(
                    .from(image.pixels, shape: [image.height, image.width, 3]), "image")
                cases += 1
            }
            print("golden pipeline through the command line: \(cases) cases")
            #expect(cases > 0)
        }

        @Test func recognizesCheckpointsAsTheReferenceDoes() throws {
            let golden = try #require(
                try JSONSerialization.jsonObject(
                    with: Data(
                        contentsOf: URL(
                            fileURLWithPath: Reference.path(
                                "goldens/loading/tiny_model_hashes.json"))))
                    as? [String: String])
            for (path, hash) in golden {
                let outcome = try Program.run([
                    "inspect", Reference.path("models/" + path), "--json",
                ])
                let parts = try #require(
                    try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
                        as? [[String: Any]])
                #expect(parts.map { $0["key_hash"] as? String } == [hash], "\(path)")
            }
        }

        @Test func foldsLoRAsAsTheReferenceDoes() throws {
            let folder = try TemporaryFolder()
            var cases = 0
            for name in try Reference.cases(of: "lora") where name.hasSuffix("_bf16") {
                let golden = try Golden("lora", name)
                guard golden.outputs.contains("fused_weight_first_layer") else { continue }
                let merged = folder.file(name + ".safetensors")
                let model = try #require(golden.string("model"))
                let lora = try Reference.path(#require(golden.string("file")))
                let outcome = try Program.run([
                    "lora", "merge", lora, "--into", Reference.path("models/\(model)"), "--output",
                    merged,
                ])
                #expect(outcome.status == 0, "\(outcome.errors)")
                let file = try SafetensorsFile(path: merged)
                let weight = try #require(file["transformer_blocks.0.attn.to_q.weight"])
                try golden.expect(.mapped(weight, of: file), "fused_weight_first_layer")
                cases += 1
            }
            print("golden lora through the command line: \(cases) cases")
            #expect(cases > 0)
        }

        /// 8-bit weights are those that they stand for.
        @Test func takesWeightsOfEightBits() throws {
            let folder = try TemporaryFolder()
            let eight = Reference.path("models/tiny-klein-fp8/transformer")
            let file = try SafetensorsFile(
                path: eight + "/diffusion_pytorch_model.safetensors")
            let wide = folder.file("transformer")
            try FileManager.default.createDirectory(
                atPath: wide, withIntermediateDirectories: true)
            try FileManager.default.copyItem(
                atPath: eight + "/config.json", toPath: wide + "/config.json")
            try SafetensorsWriter.write(
                to: wide + "/model.safetensors",
                tensors: file.tensors.map { info in
                    let values = try Tensor.mapped(info, of: file).to(dtype: .bfloat16)
                    return TensorToWrite(
                        name: info.name, type: .BF16, shape: info.shape,
                        bytes: try values.withBytes { Array($0) })
                })
            #expect(file.tensors.contains { $0.type == .F8_E4M3 })
            let images = try [eight, wide].map { transformer in
                let path = folder.file("a.png")
                let outcome = try Program.run(
                    tinyArguments(
                        model: Reference.path("models/tiny-klein"), output: path,
                        ["--transformer", transformer, "--force", "--dtype", "bfloat16"]))
                #expect(outcome.status == 0, "\(outcome.errors)")
                return try Image(contentsOf: path)
            }
            #expect(images[0] == images[1])
        }

        private func arguments(_ golden: Golden) throws -> [String] {
            let model = try #require(golden.string("model"))
            var result = [
                "generate", try #require(golden.string("prompt")), "--dtype", "float32",
                "--model", Reference.path("models/\(model)"),
            ]
            // DiffSynth's own spellings.
            for key in [
                "seed", "height", "width", "num_inference_steps", "cfg_scale",
                "embedded_guidance", "negative_prompt", "denoising_strength",
                "inpaint_blur_size", "inpaint_blur_sigma",
            ] {
                let value = golden.parameters[key]
                if let value, !(value is NSNull) { result += ["--\(key)", "\(value)"] }
            }
            for key in ["input_image", "inpaint_mask", "edit_image"] {
                let paths =
                    golden.parameters[key] as? [String] ?? [golden.string(key)].compactMap(\.self)
                for path in paths { result += ["--\(key)", Reference.path(path)] }
            }
            if golden.parameters["edit_image_auto_resize"] as? Bool == false {
                result.append("--no-edit-image-auto-resize")
            }
            return result
        }

        @Test func writesSettingsIntoTheImageAndPrintsThemAsJSON() throws {
            let folder = try TemporaryFolder()
            let image = folder.file("a.png")
            let outcome = try Program.run(tinyArguments("жук \"x\"", output: image, ["--json"]))
            #expect(outcome.status == 0, "\(outcome.errors)")
            let json = try #require(
                try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
                    as? [String: Any])
            let settings = try #require(json["settings"] as? [String: Any])
            #expect(settings["prompt"] as? String == "жук \"x\"")
            #expect(settings["seed"] as? Int == 7)
            let seconds = try #require(json["seconds"] as? [String: Any])
            #expect((seconds["steps"] as? [Double])?.count == 1)
            let memory = try #require(json["memory"] as? [String: Any])
            #expect((memory["peak_private_bytes"] as? Int ?? 0) > 1_000_000)
            let stored = try Image.readMetadata(of: image)
            let kept = try #require(
                try JSONSerialization.jsonObject(with: Data((stored["flux2"] ?? "").utf8))
                    as? [String: Any])
            #expect(kept["prompt"] as? String == "жук \"x\"")
            #expect(kept["seed"] as? Int == 7)
        }

        @Test func tellsHowManyStepsTookOverFromOthers() throws {
            let folder = try TemporaryFolder()
            let arguments = ["--steps", "5", "--step-cache", "1000", "--json"]
            let outcome = try Program.run(
                tinyArguments(output: folder.file("a.png"), arguments))
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(outcome.errors.contains("step 5 of 5, 3 skipped"))
            #expect(outcome.errors.contains("3 of 5 steps skipped"))
            let json = try #require(
                try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
                    as? [String: Any])
            #expect(json["computed_steps"] as? Int == 2)
            #expect(json["skipped_steps"] as? Int == 3)
            let settings = try #require(json["settings"] as? [String: Any])
            #expect(settings["step_cache"] as? Double == 1000)
        }

        @Test func drawsTellsAndStoresASeedWhenNoneIsGiven() throws {
            let folder = try TemporaryFolder()
            let images = ["a.png", "b.png"].map(folder.file)
            var seeds: [String] = []
            for image in images {
                let arguments = tinyArguments(output: image)
                let index = try #require(arguments.firstIndex(of: "--seed"))
                let outcome = try Program.run(
                    Array(arguments[..<index] + arguments[(index + 2)...]))
                #expect(outcome.status == 0, "\(outcome.errors)")
                let line = outcome.errors.split(separator: "\n").first { $0.hasPrefix("seed ") }
                seeds.append(String(try #require(line).dropFirst("seed ".count)))
                #expect(
                    try Image.readMetadata(of: image)["flux2"]?
                        .contains("\"seed\":\(try #require(seeds.last))") == true)
            }
            #expect(seeds[0] != seeds[1])
        }

        @Test func theSameSeedGivesTheSameFile() throws {
            let folder = try TemporaryFolder()
            let files = try ["a.png", "b.png"].map { name in
                let outcome = try Program.run(tinyArguments(output: folder.file(name)))
                #expect(outcome.status == 0, "\(outcome.errors)")
                return try Data(contentsOf: URL(fileURLWithPath: folder.file(name)))
            }
            #expect(files[0] == files[1])
        }

        @Test func writesEveryFormat() throws {
            let folder = try TemporaryFolder()
            for (name, told) in [("a.png", "warning: --quality"), ("a.jpg", ""), ("a.webp", "")] {
                let outcome = try Program.run(
                    tinyArguments(output: folder.file(name), ["--quality", "80", "--quiet"]))
                #expect(outcome.status == 0, "\(outcome.errors)")
                #expect(outcome.errors.isEmpty == told.isEmpty && outcome.errors.hasPrefix(told))
                let image = try Image(contentsOf: folder.file(name))
                #expect(image.width == 64 && image.height == 64)
            }
        }

        @Test func sizesAreRoundedUpWithANotice() throws {
            let folder = try TemporaryFolder()
            let outcome = try Program.run(
                tinyArguments(output: folder.file("a.png"), ["--height", "50", "--width", "81"]))
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(outcome.errors.contains("81x50 is rounded up to 96x64"))
            let image = try Image(contentsOf: folder.file("a.png"))
            #expect(image.width == 96 && image.height == 64)
        }

        @Test func anEmptyPromptIsValid() throws {
            let folder = try TemporaryFolder()
            let outcome = try Program.run(tinyArguments("", output: folder.file("a.png")))
            #expect(outcome.status == 0, "\(outcome.errors)")
        }

        @Test func aPromptOfAHundredThousandCharactersIsCutWithANotice() throws {
            let folder = try TemporaryFolder()
            let prompt = String(repeating: "fox ", count: 25_000)
            let outcome = try Program.run(tinyArguments(prompt, output: folder.file("a.png")))
            #expect(outcome.status == 0, "\(outcome.errors.prefix(500))")
            #expect(outcome.errors.contains("longer than 512 tokens"))
        }

        @Test func everyTypeComputesTheImageWithItsOwnRounding() throws {
            let folder = try TemporaryFolder()
            func image(_ dtype: String) throws -> [UInt8] {
                let path = folder.file("\(dtype).png")
                let outcome = try Program.run(tinyArguments(output: path, ["--dtype", dtype]))
                #expect(outcome.status == 0, "\(dtype): \(outcome.errors)")
                return try Image(contentsOf: path).pixels
            }
            let exact = try image("float32")
            let halves = try ["bf16", "float16"].map(image)
            for half in halves {
                let levels = zip(half, exact).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
                #expect(half != exact && levels < 4 * exact.count)
            }
            #expect(halves[0] != halves[1])
            #expect(try [halves[0], exact].contains(image("auto")))
        }
    }
}
