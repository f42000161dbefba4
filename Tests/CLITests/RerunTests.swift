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
        @Test func makesTheSamePictureAgain() throws {
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
                let picture = folder.file("\(index)." + ["png", "webp"][index % 2])
                let made = try Program.run(tinyArguments(output: picture, settings + files))
                #expect(made.status == 0, "\(made.errors)")
                let again = try Program.run(["rerun", picture, "--check"] + model + files)
                #expect(again.status == 0, "\(settings): \(again.output)\(again.errors)")
                #expect(again.output.hasPrefix("largest difference 0 "))
            }
        }

        @Test func tellsTheDifference() throws {
            let picture = folder.file("a.jpg")
            _ = try Program.run(tinyArguments(output: picture, ["--quality", "50"]))
            let output = folder.file("b.png")
            let again = try Program.run(["rerun", picture, "--check", "-o", output] + model)
            #expect(again.status == 1)
            #expect(again.output.contains("values differ"))
            #expect(!again.output.hasPrefix("largest difference 0 "))
            // The new picture carries the settings on.
            let third = try Program.run(["rerun", output, "--check"] + model)
            #expect(third.status == 0, "\(third.errors)")
        }

        /// A picture may be from anybody, and name anything.
        @Test func fetchesNothingOnAPicturesWord() throws {
            let picture = folder.file("a.png")
            _ = try Program.run(tinyArguments(output: picture))
            let outcome = try Program.run(
                ["rerun", picture, "--check"], environment: ["HF_HUB_OFFLINE": "0"])
            #expect(outcome.status == 64)
            #expect(outcome.errors.contains("made with a model called 'tiny-klein'; say where"))
        }

        @Test func refusesWhatIsNotItsOwnOrLacksInputs() throws {
            let foreign = try Program.run(
                ["rerun", input("init_64x64.png"), "--check"] + model)
            #expect(foreign.status == 64 && foreign.errors.contains("carries no settings"))
            let picture = folder.file("a.png")
            _ = try Program.run(
                tinyArguments(output: picture, ["--edit-image", input("exact.png")]))
            let bare = try Program.run(["rerun", picture, "--check"] + model)
            #expect(bare.status == 64 && bare.errors.contains("made with 1 of --edit-image, not 0"))
        }
    }
}
