import Foundation
import Imaging
import Offloading
import Checkpoints
import TestSupport
import Testing
import Torch

extension CommandLineTests {
    /// Every option that the parser knows has a case here that shows what it does.
    @Suite("Every option of generate does something", .serialized)
    struct Options {
        private enum Effect {
            /// Another image than the base's with `besides`.
            case changes([String], besides: [String] = [])
            /// The same image as the base's with `besides`, by another way.
            case keeps([String], besides: [String] = [])
            /// Shown by another test.
            case shown(by: String)
        }

        private struct Run {
            var pixels: [UInt8]
            var errors: String
        }

        private let folder: TemporaryFolder

        init() throws {
            folder = try TemporaryFolder()
            let generator = try Generator(seed: 3)
            try """
            {"transformer": {"offload_dtype": "float8_e4m3fn", "offload_device": "cpu"}}
            """.write(toFile: folder.file("vram.json"), atomically: true, encoding: .utf8)
            try write("noise", ["noise": .randn([1, 128, 4, 4], generator: generator)])
            try write("text", ["text_embedding": .randn([1, 5, 96], generator: generator)])
            try write(
                "cache",
                [
                    "double_0.k": .randn([1, 3, 2, 32], generator: generator),
                    "double_0.v": .randn([1, 3, 2, 32], generator: generator),
                ])
        }

        private func write(_ name: String, _ tensors: [String: Tensor]) throws {
            try SafetensorsWriter.write(
                to: folder.file(name + ".safetensors"),
                tensors: tensors.sorted { $0.key < $1.key }.map { key, tensor in
                    TensorToWrite(
                        name: key, type: .F32, shape: tensor.shape,
                        bytes: try tensor.withBytes { Array($0) })
                })
        }

        private static func input(_ name: String) -> String {
            Reference.own + "/inputs/\(name).png"
        }

        private static func fixture(_ name: String) -> String {
            URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .deletingLastPathComponent().path + "/ImagingTests/Fixtures/\(name)"
        }

        private var effects: [String: Effect] {
            let start = ["--input-image", Self.input("init_64x64")]
            let mask = start + ["--inpaint-mask", Self.input("mask_64x64")]
            let cfg = ["--cfg-scale", "3"]
            let dev = ["--model", Reference.ownModel("tiny-dev")]
            let lora = ["--lora", Reference.own + "/inputs/lora/diffsynth.safetensors"]
            // What a processor without products of it would not choose by itself.
            let half = ["--dtype", "bfloat16"]
            let file = { (name: String) in folder.file(name + ".safetensors") }
            let turned = ["--edit-image", Self.fixture("turned-6.jpg")]
            let small = ["--edit-image", Self.input("exact")]
            let tall = ["--height", "160"]
            let (two, weak) = (["--steps", "2"], ["--denoising-strength", "0.4"])
            let klein = { (part: String) in Reference.ownModel("tiny-klein") + "/" + part }
            return [
                "prompt-file": .shown(by: "BatchTests"), "count": .shown(by: "BatchTests"),
                "grid": .shown(by: "BatchTests"), "hub": .shown(by: "DownloadTests"),
                "offline": .shown(by: "DownloadTests"),
                "no-prompt-cache": .shown(by: "BatchTests"), "model": .changes(dev),
                "transformer": .keeps(["--transformer", klein("transformer")]),
                "dit": .keeps(["--dit", klein("transformer")]),
                "text-encoder-qwen3": .keeps(["--text-encoder-qwen3", klein("text_encoder")]),
                "tokenizer-path": .keeps(["--tokenizer-path", klein("tokenizer")]),
                "text-encoder": .keeps(["--text-encoder", klein("text_encoder")]),
                "vae": .changes(["--vae", Reference.ownModel("tiny-dev") + "/vae"]),
                "tokenizer": .keeps(["--tokenizer", klein("tokenizer")]),
                "negative-prompt": .changes(["--negative-prompt", "blurry"], besides: cfg),
                "text-length": .changes(["--text-length", "64"]),
                "t5-sequence-length": .keeps(
                    ["--t5-sequence-length", "64"], besides: ["--text-length", "64"]),
                "cfg-scale": .changes(cfg),
                "embedded-guidance": .changes(["--embedded-guidance", "1.5"], besides: dev),
                "height": .changes(["--height", "80"]), "width": .changes(["--width", "80"]),
                "seed": .changes(["--seed", "8"]),
                "rand-device": .keeps(["--rand-device", "cpu"]),
                "steps": .changes(["--steps", "2"]),
                "num-inference-steps": .keeps(
                    ["--num-inference-steps", "2"], besides: ["--steps", "2"]),
                "first-block-cache": .changes(
                    ["--first-block-cache", "1000"], besides: ["--steps", "4"]),
                "step-cache": .keeps(
                    ["--step-cache", "1000"],
                    besides: ["--steps", "4", "--first-block-cache", "1000"]),
                "parity": .changes(["--parity", "diffusers"]),
                "input-image": .changes(start + weak, besides: two),
                "fit-input-image": .changes(
                    ["--input-image", Self.input("landscape"), "--fit-input-image"] + weak,
                    besides: two),
                "denoising-strength": .changes(weak, besides: two + start),
                "edit-image": .changes(small),
                "edit-image-auto-resize": .keeps(["--edit-image-auto-resize"], besides: small),
                "no-edit-image-auto-resize": .changes(
                    ["--no-edit-image-auto-resize"], besides: small),
                "inpaint-mask": .changes(
                    ["--inpaint-mask", Self.input("mask_64x64")], besides: start),
                "inpaint-blur-size": .changes(
                    ["--inpaint-blur-size", "1", "--inpaint-blur-sigma", "2"], besides: mask),
                "inpaint-blur-sigma": .changes(
                    ["--inpaint-blur-size", "1", "--inpaint-blur-sigma", "0.5"], besides: mask),
                "initial-noise": .changes(["--initial-noise", file("noise")]),
                "extra-text-embedding": .changes(["--extra-text-embedding", file("text")]),
                "negative-extra-text-embedding": .changes(
                    ["--negative-extra-text-embedding", file("text")], besides: cfg),
                "kv-cache": .changes(["--kv-cache", file("cache")]),
                "negative-kv-cache": .changes(
                    ["--negative-kv-cache", file("cache")], besides: cfg),
                "ignore-exif": .changes(["--ignore-exif"], besides: turned),
                "drop-alpha": .changes(
                    ["--drop-alpha"], besides: ["--edit-image", Self.input("mode_rgba")]),
                "lora": .changes(lora),
                "lora-mode": .changes(["--lora-mode", "fused"], besides: lora + half),
                "positive-lora": .changes(["--positive-lora", lora[1]], besides: cfg),
                "negative-lora": .changes(["--negative-lora", lora[1]], besides: cfg),
                "tiled": .changes(
                    ["--tiled", "--tile-size", "8", "--tile-stride", "6"], besides: tall),
                "tile-size": .changes(["--tile-size", "16"], besides: tall + ["--tiled"]),
                "tile-stride": .changes(
                    ["--tile-stride", "5"], besides: tall + ["--tiled", "--tile-size", "8"]),
                "tiling": .changes(
                    ["--tiling", "overlapping"], besides: tall + ["--tiled", "--tile-size", "8"]),
                "vram-limit": .keeps(["--vram-limit", "4"]),
                "ram-limit": .keeps(["--ram-limit", "0.3"]),
                "rehearse": .keeps(["--rehearse", "--vram-limit", "1"]),
                "low-vram": .changes(["--low-vram"]),
                "vram-config": .changes(["--vram-config", folder.file("vram.json")]),
                "weights": .changes(["--weights", "transformer=int8"]),
                "no-weight-cache": .keeps(["--no-weight-cache"], besides: ["--weights", "int8"]),
                "device": .keeps(["--device", "cpu"]),
                "dtype": .changes(["--dtype", "float32"], besides: half),
                "threads": .keeps(["--threads", "1"]), "kernels": .shown(by: "KernelOptionTests"),
                "output": .shown(by: "writesEveryFormat"),
                "quality": .shown(by: "writesEveryFormat"),
                "force": .shown(by: "replacingAnImageUnlessForced"),
                "skip-existing": .shown(by: "OutputTests"),
                "partial-lora": .shown(by: "WarningTests"),
                "save-latents": .shown(by: "reachesTheReferencesLatentsThroughTheCommandLine"),
                "json": .shown(by: "writesSettingsIntoTheImageAndPrintsThemAsJSON"),
                "quiet": .shown(by: "writesEveryFormat"),
                "version": .shown(by: "thePlainOnes"), "help": .shown(by: "thePlainOnes"),
            ]
        }

        @Test func asItsCaseHereSays() throws {
            let names = try Self.names()
            #expect(names.count > 40)
            #expect(Set(effects.keys) == Set(names), "options without a case, or cases without one")
            var images: [[String]: [UInt8]] = [:]
            func image(_ arguments: [String]) throws -> [UInt8] {
                if let known = images[arguments] { return known }
                let output = folder.file("\(images.count).png")
                let outcome = try Program.run(
                    tinyArguments(output: output, arguments))
                #expect(outcome.status == 0, "\(arguments): \(outcome.errors)")
                images[arguments] = try Image(contentsOf: output).pixels
                return images[arguments] ?? []
            }
            for (name, effect) in effects.sorted(by: { $0.key < $1.key }) {
                switch effect {
                case .changes(let more, let besides):
                    let same = try image(besides + more) == image(besides)
                    if same { Issue.record("--\(name) changes nothing") }
                case .keeps(let more, let besides):
                    let same = try image(besides + more) == image(besides)
                    if !same { Issue.record("--\(name) changes the image") }
                case .shown: break
                }
            }
        }

        @Test func thePlainOnes() throws {
            #expect(try Program.run(["--version"]).output.hasPrefix("0."))
            #expect(try Program.run(["generate", "--help"]).output.contains("--edit-image"))
        }

        /// All long names of all options, as the parser itself lists them.
        private static func names() throws -> [String] {
            let command = try #require(try CommandDump.read().commands["generate"])
            return (command.arguments ?? []).flatMap(\.long)
        }

        @Test(arguments: [
            ["--inpaint-mask", "m.png"], ["--denoising-strength", "0.5"], ["--fit-input-image"],
            ["--inpaint-blur-size", "2"], ["--no-edit-image-auto-resize"],
            ["--tiled", "--tiling", "off"],
            ["--tiled", "--tile-size", "16", "--tile-stride", "17"],
            ["--lora-mode", "fused"], ["--ignore-exif"], ["--drop-alpha"],
            ["--prompt-file", "p.txt"], ["--no-such-option"], ["--parity", "none"],
        ])
        func optionsThatContradictOrLackSomethingAreRefused(arguments: [String]) throws {
            let outcome = try Program.run(tinyArguments(output: folder.file("x.png"), arguments))
            #expect(outcome.status == 64, "\(outcome.errors)")
            #expect(outcome.errors.contains("Error: "))
            #expect(!FileManager.default.fileExists(atPath: folder.file("x.png")))
        }

        /// Pieces are for the sake of memory, in encoding and in decoding.
        /// As in DiffSynth-Studio; out-of-range numbers are no matter of usage.
        @Test func aTileSizeWithoutTilesIsToldAndANumberOutOfRangeRefused() throws {
            let idle = try Program.run(
                tinyArguments(output: folder.file("x.png"), ["--tile-size", "32", "--quiet"]))
            #expect(idle.status == 0)
            #expect(idle.errors.contains("warning: --tile-size and --tile-stride have no effect"))
            let none = try Program.run(
                tinyArguments(output: folder.file("y.png"), ["--count", "0"]))
            #expect(none.status == 1 && none.errors.contains("--count must be an integer"))
        }

        @Test(.slow)
        func tilesAndStripsTakeLessMemory() throws {
            let image = folder.file("large.png")
            try Image(width: 1536, height: 1536, red: 10, green: 120, blue: 200)
                .write(to: image)
            func peak(_ tiling: String, _ more: [String] = []) throws -> Int {
                let outcome = try Program.run(
                    [
                        "generate", "x", "--model", Reference.ownModel("tiny-klein"), "--height",
                        "1536", "--width", "1536", "--steps", "1", "--seed", "1", "--input-image",
                        image, "--denoising-strength", "0.5", "--dtype", "float32", "--tiling",
                        tiling, "--json", "--quiet", "--force", "--output", folder.file("m.png"),
                    ] + more)
                #expect(outcome.status == 0, "\(outcome.errors)")
                let report =
                    try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
                    as? [String: Any]
                let memory = report?["memory"] as? [String: Any]
                return try #require(memory?["peak_private_bytes"] as? Int)
            }
            let whole = try peak("off")
            let strips = try peak("strips")
            let feathered = try peak("feathered", ["--tile-size", "32", "--tile-stride", "16"])
            let overlapping = try peak("overlapping", ["--tile-size", "32"])
            print("private MB: \([whole, strips, feathered, overlapping].map { $0 / 1_000_000 })")
            #expect(strips < whole / 20 * 17)
            #expect(feathered < whole / 2)
            #expect(overlapping < whole / 2)
        }
    }
}
