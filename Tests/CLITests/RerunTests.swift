import Foundation
import Imaging
import TestSupport
import Testing

extension CommandLineTests {
    @Suite("flux2 rerun", .serialized)
    struct Reruns {
        private let folder: TemporaryFolder
        private let model = ["--model", Reference.ownModel("tiny-klein")]

        init() throws { folder = try TemporaryFolder() }

        private func input(_ name: String) -> String { Reference.own + "/inputs/\(name)" }

        /// Settings of every kind, in every format that keeps pixels.
        @Test func makesTheSameImageAgain() throws {
            let cases: [([String], [String])] = [
                (
                    [
                        "--height", "50", "--steps", "2", "--cfg-scale", "2", "--negative-prompt",
                        "x",
                    ], []
                ),
                (
                    ["--parity", "diffusers", "--dtype", "float32", "--t5-sequence-length", "40"],
                    []
                ),
                (
                    ["--denoising-strength", "0.5", "--steps", "2"],
                    ["--input-image", input("init_64x64.png")]
                ),
                (
                    ["--inpaint-blur-size", "1", "--inpaint-blur-sigma", "0.7"],
                    [
                        "--input-image", input("init_64x64.png"), "--inpaint-mask",
                        input("mask_64x64.png"),
                    ]
                ),
                (["--no-edit-image-auto-resize"], ["--edit-image", input("exact.png")]),
                (["--steps", "4", "--step-cache", "1000"], []),
                (["--dtype", "bfloat16", "--kernels", "reference"], []),
                (["--dtype", "bfloat16", "--weights", "int8"], []),
                (["--height", "128", "--tiled", "--tile-size", "8"], []),
                (
                    ["--lora-mode", "fused"],
                    ["--lora", input("lora/diffsynth.safetensors") + ":0.5"]
                ),
            ]
            for (index, (settings, files)) in cases.enumerated() {
                let imagePath = folder.file("\(index)." + ["png", "webp"][index % 2])
                let made = try Program.run(tinyArguments(output: imagePath, settings + files))
                #expect(made.status == 0, "\(made.errors)")
                let again = try Program.run(["rerun", imagePath, "--check"] + model + files)
                #expect(again.status == 0, "\(settings): \(again.output)\(again.errors)")
                #expect(again.output.hasPrefix("largest difference 0 "))
            }
        }

        /// What a format loses is lost again.
        @Test(arguments: [
            ("a.jpg", ["--quality", "50"]), ("b.jpg", []), ("c.webp", ["--quality", "70"]),
        ])
        func comparesAfterTheSameEncoding(_ name: String, _ quality: [String]) throws {
            let imagePath = folder.file(name)
            _ = try Program.run(tinyArguments(output: imagePath, quality))
            let output = folder.file(name + ".png")
            let again = try Program.run(["rerun", imagePath, "--check", "-o", output] + model)
            #expect(again.status == 0, "\(again.output)\(again.errors)")
            #expect(again.output.hasPrefix("largest difference 0 "))
            // The new image carries the settings on.
            let third = try Program.run(["rerun", output, "--check"] + model)
            #expect(third.status == 0, "\(third.errors)")
        }

        /// A difference is no error, and has a status of its own.
        @Test func tellsTheDifference() throws {
            let imagePath = folder.file("a.png")
            _ = try Program.run(tinyArguments(output: imagePath))
            var image = try Image(contentsOf: imagePath)
            let settings = try Image.readMetadata(of: imagePath)
            image.pixels[7] ^= 9
            try image.write(to: imagePath, metadata: settings)
            let again = try Program.run(["rerun", imagePath, "--check", "--json"] + model)
            #expect(again.status == 2)
            #expect(again.output.contains(#""differing":1"#), "\(again.output)")
            #expect(again.output.contains(#""warnings":[]"#))
        }

        @Test func changesWhatIsGivenAndKeepsTheRest() throws {
            let imagePath = folder.file("a.png")
            let common = ["--negative-prompt", "blurry", "--cfg-scale", "2", "--width", "96"]
            _ = try Program.run(tinyArguments(output: imagePath, common))
            let cases: [([String], String, [String])] = [
                (["--seed", "5"], "a red fox", ["--seed", "5"]),
                (["a blue hat", "--steps", "2"], "a blue hat", ["--steps", "2"]),
                (
                    ["--height", "32", "--cfg-scale", "3"], "a red fox",
                    ["--height", "32", "--cfg-scale", "3"]
                ),
                (
                    ["--lora", input("lora/diffsynth.safetensors")], "a red fox",
                    ["--lora", input("lora/diffsynth.safetensors")]
                ),
                (
                    ["--input-image", input("init_64x96.png"), "--denoising-strength", "0.5"],
                    "a red fox",
                    ["--input-image", input("init_64x96.png"), "--denoising-strength", "0.5"]
                ),
            ]
            for (index, (changes, prompt, options)) in cases.enumerated() {
                let (changed, wanted) = (folder.file("c\(index).png"), folder.file("w\(index).png"))
                let again = try Program.run(
                    ["rerun", imagePath] + changes + ["-o", changed] + model)
                #expect(again.status == 0, "\(changes): \(again.errors)")
                let made = try Program.run(tinyArguments(prompt, output: wanted, common + options))
                #expect(made.status == 0, "\(made.errors)")
                #expect(
                    try Data(contentsOf: URL(fileURLWithPath: changed))
                        == Data(contentsOf: URL(fileURLWithPath: wanted)), "\(changes)")
            }
            let both = try Program.run(["rerun", imagePath, "--check", "--seed", "5"] + model)
            #expect(both.status == 64 && both.errors.contains("leave out --seed"))
        }

        @Test func inspectShowsTheSettings() throws {
            let imagePath = folder.file("a.jpg")
            _ = try Program.run(tinyArguments("жук\u{1B}[2J", output: imagePath))
            let shown = try Program.run(["inspect", imagePath])
            #expect(shown.status == 0, "\(shown.errors)")
            for words in ["жук", "seed                7", "JPEG of 64x64"] {
                #expect(shown.output.contains(words), "\(shown.output)")
            }
            #expect(!shown.output.contains("\u{1B}"))
            let json = try Program.run(["inspect", imagePath, "--json"])
            #expect(json.output.contains(#""seed":7"#) && json.output.contains(#""warnings":[]"#))
            let foreign = try Program.run(["inspect", input("init_64x64.png")])
            #expect(foreign.status == 0 && foreign.output.contains("none of flux2"))
        }

        /// An image may be from anybody, and name anything.
        @Test func fetchesNothingOnAImagesWord() throws {
            let imagePath = folder.file("a.png")
            _ = try Program.run(tinyArguments(output: imagePath))
            let outcome = try Program.run(
                ["rerun", imagePath, "--check"], environment: ["HF_HUB_OFFLINE": "0"])
            #expect(outcome.status == 64)
            #expect(outcome.errors.contains("made with a model called 'tiny-klein'; say where"))
        }

        @Test func refusesWhatIsNotItsOwnOrLacksInputs() throws {
            let foreign = try Program.run(
                ["rerun", input("init_64x64.png"), "--check"] + model)
            #expect(foreign.status == 64 && foreign.errors.contains("carries no settings"))
            let imagePath = folder.file("a.png")
            _ = try Program.run(
                tinyArguments(
                    output: imagePath,
                    ["--edit-image", input("exact.png"), "--no-edit-image-auto-resize"]))
            let bare = try Program.run(["rerun", imagePath, "--check"] + model)
            #expect(bare.status == 64 && bare.errors.contains("made with 1 of --edit-image, not 0"))
        }
    }
}
