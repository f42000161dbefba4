import Foundation
import Imaging
import TestSupport
import Testing

extension CommandLineTests {
    @Suite("Where images go", .serialized)
    struct OutputTests {
        private let folder: TemporaryFolder

        init() throws { folder = try TemporaryFolder() }

        private func bytes(_ name: String) throws -> Data {
            try Data(contentsOf: URL(fileURLWithPath: folder.file(name)))
        }

        private func draw(
            _ prompt: String, _ output: String?, _ more: [String] = []
        ) throws -> Program.Outcome {
            var arguments = tinyArguments(prompt, output: output ?? "", more)
            if output == nil, let place = arguments.firstIndex(of: "--output") {
                arguments.removeSubrange(place...place + 1)
            }
            return try Program.run(arguments, in: folder.path)
        }

        @Test func withoutANameTheNextFreeOneIsTaken() throws {
            #expect(try draw("a red fox", nil).status == 0)
            let first = try bytes("image.png")
            let second = try draw("a red fox", nil, ["--seed", "8", "--json"])
            #expect(second.output.contains(#""image":"image-2.png""#), "\(second.errors)")
            #expect(try bytes("image.png") == first)
            let more = try draw("a red fox", nil, ["--count", "2", "--grid"])
            #expect(more.status == 0, "\(more.errors)")
            #expect(
                folder.contents == [
                    "image-2.png", "image-3.png", "image-4.png", "image-grid.png", "image.png",
                ])
            #expect(try bytes("image-3.png") == first)
            // Only --force makes the name fixed.
            #expect(try draw("a red fox", nil, ["--seed", "9", "--force"]).status == 0)
            #expect(try bytes("image.png") != first)
        }

        /// Several programs at a time never take the same name.
        @Test func manyAtATimeLoseNoImage() throws {
            let running = try (0..<4).map { index in
                try Program.start(
                    [
                        "generate", "x", "--model", Reference.ownModel("tiny-klein"), "--seed",
                        "\(index)", "--height", "64", "--width", "64", "--steps", "1", "--quiet",
                        "--output", folder.file("all/"),
                    ])
            }
            for one in running { #expect(try one.finish().status == 0) }
            let made = try FileManager.default.contentsOfDirectory(atPath: folder.file("all"))
            #expect(made.sorted() == ["image-2.png", "image-3.png", "image-4.png", "image.png"])
        }

        @Test func patternsAreFilledAndFoldersMade() throws {
            let outcome = try draw(
                "../Ein *roter* Füchs/a?",
                "out/{prompt}/{model}-{width}x{height}-{steps}-{seed}.png",
                ["--count", "2", "--width", "96"])
            #expect(outcome.status == 0, "\(outcome.errors)")
            let made = try FileManager.default.contentsOfDirectory(
                atPath: folder.file("out/Ein-roter-Füchs-a")
            ).sorted()
            #expect(made == ["tiny-klein-96x64-1-7.png", "tiny-klein-96x64-1-8.png"])
            // Names that would be the same get numbers.
            #expect(try draw("x", "same/{prompt}{{1}}.png", ["--count", "2"]).status == 0)
            let same = try FileManager.default.contentsOfDirectory(atPath: folder.file("same"))
            #expect(same.sorted() == ["x{1}-001.png", "x{1}-002.png"])
            let wrong = try draw("x", "{sed}.png")
            #expect(wrong.status == 64 && wrong.errors.contains("'{sed}' is no field"))
        }

        @Test func anInterruptedBatchGoesOn() throws {
            let batch = ["--count", "3"]
            #expect(try draw("x", "b.png", batch).status == 0)
            let names = ["b-001.png", "b-002.png", "b-003.png"]
            let before = try names.map(bytes)
            try FileManager.default.removeItem(atPath: folder.file("b-002.png"))
            let refused = try draw("x", "b.png", batch)
            #expect(refused.status == 1)
            #expect(
                refused.errors.contains("--force") && refused.errors.contains("--skip-existing"))
            let start = try FileManager.default.attributesOfItem(atPath: folder.file("b-001.png"))
            let on = try draw("x", "b.png", batch + ["--skip-existing", "--grid"])
            #expect(on.status == 0, "\(on.errors)")
            #expect(!on.errors.contains("warning"))
            #expect(try names.map(bytes) == before)
            let end = try FileManager.default.attributesOfItem(atPath: folder.file("b-001.png"))
            #expect(start[.systemFileNumber] as? Int == end[.systemFileNumber] as? Int)
            // An image of something else stays too, and is told of.
            let other = try draw("y", "b.png", batch + ["--skip-existing", "--quiet"])
            #expect(other.status == 0 && other.errors.contains("was made with another prompt"))
            #expect(try names.map(bytes) == before)
        }

        @Test func skippingNeedsNames() throws {
            #expect(try draw("x", nil, ["--skip-existing"]).errors.contains("needs --output"))
            #expect(
                try draw("x", "a.png", ["--skip-existing", "--force"]).errors
                    .contains("contradicts --force"))
            #expect(try draw("x", folder.path, ["--skip-existing"]).errors.contains("not a folder"))
        }

        @Test func otherMistakesAreToldFirst() throws {
            #expect(try draw("x", "a.png").status == 0)
            for (options, words) in [
                (["--width", "0"], "width"), (["--steps", "0"], "steps"),
                (["--input-image", "none.png"], "none.png"), (["--vae", "none"], "none"),
            ] {
                let outcome = try draw("x", "a.png", options)
                #expect(outcome.status != 0 && outcome.errors.contains(words), "\(outcome.errors)")
                #expect(!outcome.errors.contains("exists already"))
            }
        }

        @Test func transparentPlacesOfAMaskAreKept() throws {
            let source = Reference.own + "/inputs/init_64x64.png"
            let fixtures =
                URL(fileURLWithPath: #filePath).deletingLastPathComponent().path
                + "/Fixtures/"
            // White on black; and white everywhere, of which the left half is transparent.
            let images = try ["plain", "layer"].map { name in
                let mask = fixtures + "mask_\(name).png"
                let outcome = try draw(
                    "x", name + ".png",
                    ["--input-image", source, "--inpaint-mask", mask, "--fit-input-image"])
                #expect(outcome.status == 0, "\(outcome.errors)")
                #expect(outcome.errors.contains("transparent") == (name == "layer"))
                return try Image(contentsOf: folder.file(name + ".png"))
            }
            #expect(images[0] == images[1])
            let erased = try draw(
                "x", "erased.png",
                [
                    "--input-image", source, "--inpaint-mask", fixtures + "mask_erased.png",
                    "--quiet",
                ])
            #expect(erased.errors.contains("no plain black and white"), "\(erased.errors)")
        }
    }
}
