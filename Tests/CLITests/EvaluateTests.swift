import Foundation
import Imaging
import TestSupport
import Testing

extension CommandLineTests {
    @Suite("flux2 evaluate", .serialized)
    struct EvaluateCommand {
        private let folder: TemporaryFolder

        /// Two names, and a row whose image is of neither.
        init() throws {
            folder = try TemporaryFolder()
            for (name, red, blue) in [("red", 237, 59), ("blue", 59, 237), ("other", 200, 20)] {
                var image = Image(width: 32, height: 32, red: 255, green: 255, blue: 255)
                for at in 0..<512 where at % 32 > 7 {
                    image.pixels.replaceSubrange(
                        (3 * at + 768)..<(3 * at + 771), with: [UInt8(red), 59, UInt8(blue)])
                }
                try image.write(to: folder.file("\(name).png"))
            }
            try write(
                "names.jsonl",
                [
                    #"{"image": "red.png", "prompt": "red"}"#,
                    #"{"image": "blue.png", "prompt": "blue"}"#,
                ])
            try write(
                "rows.jsonl",
                [
                    #"{"image": "red.png", "prompt": "red", "group": "name"}"#,
                    #"{"image": "blue.png", "prompt": "blue", "group": "name"}"#,
                    #"{"image": "other.png", "prompt": "x", "group": "color", "color": "red"}"#,
                ])
        }

        private func write(_ name: String, _ lines: [String]) throws {
            try lines.joined(separator: "\n")
                .write(toFile: folder.file(name), atomically: true, encoding: .utf8)
        }

        private func run(_ more: [String], rows: String? = "rows.jsonl") throws -> Program.Outcome {
            try Program.run(
                [
                    "evaluate", "--model", Reference.ownModel("tiny-klein"), "--among",
                    folder.file("names.jsonl"), "--quiet", "--steps", "1", "--seed", "3",
                ] + (rows.map { ["--rows", folder.file($0)] } ?? []) + more)
        }

        private func object(_ text: String) throws -> [String: Any] {
            try #require(
                try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        }

        /// JSON in one order.
        private func text(_ value: Any?) throws -> String {
            let data = try JSONSerialization.data(
                withJSONObject: try #require(value), options: [.sortedKeys, .fragmentsAllowed])
            return String(decoding: data, as: UTF8.self)
        }

        @Test func writesFiguresImagesAndASheet() throws {
            let output = folder.file("out")
            let made = try run(["--output", output, "--json"])
            #expect(made.status == 0 && made.errors.isEmpty, "\(made.errors)")
            let summary = try object(made.output)
            #expect(
                Set(summary.keys) == [
                    "settings", "autoencoder_psnr", "pool", "groups", "all", "warnings",
                ])
            #expect(summary["warnings"] as? [String] == [])
            let all = try #require(summary["all"] as? [String: Any])
            #expect(all["rows"] as? Int == 3 && all["colored_rows"] as? Int == 1)
            let ceiling = try #require(all["ceiling"] as? [String: Any])
            #expect(ceiling["color"] as? Double == 1)
            #expect((ceiling["latents"] as? [String: Double])?["top1"] == 1)
            let report = try object(
                String(contentsOfFile: output + "/report.json", encoding: .utf8))
            #expect((report["rows"] as? [Any])?.count == 3)
            let sheet = try Image(contentsOf: output + "/sheet.png")
            #expect(sheet.width > 3 * 64 && sheet.height > 32)
            try expectTheSameOfImages(output + "/pictures", as: summary)
        }

        /// Images that were made get what they got when they were made.
        private func expectTheSameOfImages(
            _ images: String, as summary: [String: Any]
        ) throws {
            let again = try object(try run(["--pictures", images, "--json"]).output)
            #expect(again["settings"] == nil)
            for key in ["groups", "all", "autoencoder_psnr"] {
                #expect(try text(again[key]) == text(summary[key]))
            }
        }

        /// So that a part of the rows shows the images that all of them do.
        @Test func theSeedFollowsTheRowsNumber() throws {
            let (whole, part) = (folder.file("whole"), folder.file("part"))
            #expect(try run(["--output", whole]).status == 0)
            let colors = try run(["--output", part, "--group", "color", "--limit", "1"])
            #expect(colors.status == 0 && colors.output.contains("color"), "\(colors.errors)")
            #expect(!colors.output.contains("name"))
            let path = "/pictures/3.png"
            #expect(
                try Image(contentsOf: whole + path).pixels
                    == Image(contentsOf: part + path).pixels)
            let generated = folder.file("generated.png")
            let alone = try Program.run([
                "generate", "x", "--model", Reference.ownModel("tiny-klein"), "--height", "32",
                "--width", "32", "--steps", "1", "--seed", "6", "--output", generated,
            ])
            #expect(alone.status == 0, "\(alone.errors)")
            #expect(
                try Image(contentsOf: generated).pixels == Image(contentsOf: whole + path).pixels)
        }

        @Test func expectedImagesReachEveryCeiling() throws {
            for (number, name) in ["red", "blue", "other"].enumerated() {
                try FileManager.default.copyItem(
                    atPath: folder.file(name + ".png"),
                    toPath: folder.file("image-00\(number + 1).png"))
            }
            let all = try #require(
                try object(try run(["--pictures", folder.path, "--json"]).output)["all"]
                    as? [String: Any])
            #expect(try text(all["generated"]) == text(all["ceiling"]))
        }

        @Test func theAutoencoderAloneHasOneLine() throws {
            let outcome = try run(["--vae-only"], rows: nil)
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(outcome.output.hasPrefix("autoencoder: "))
            #expect(outcome.output.hasSuffix(" dB over 2 images\n"))
        }

        @Test func whatDoesNotFitIsOneLine() throws {
            try write("no-group.jsonl", [#"{"image": "red.png", "prompt": "red"}"#])
            try write(
                "odd.jsonl",
                [#"{"image": "red.png", "prompt": "red", "group": "a", "color": "teal"}"#])
            try write("gone.jsonl", [#"{"image": "no.png", "prompt": "red", "group": "a"}"#])
            let cases: [([String], String, String)] = [
                ([], "no-group.jsonl", "row 1: has no 'group'"),
                ([], "odd.jsonl", "'color' must be red, orange, yellow, green, blue"),
                ([], "gone.jsonl", "no.png"),
                (["--group", "place"], "rows.jsonl", "'group' must be color, name, not 'place'"),
                (["--height", "64"], "rows.jsonl", "must be those of the expected images"),
                (["--pictures", folder.path], "rows.jsonl", "has no image of row 1"),
                (["--lora", folder.file("no.safetensors")], "rows.jsonl", "no.safetensors"),
                (["--steps", "0"], "rows.jsonl", "--steps must be an integer from 1 to 10000"),
            ]
            for (arguments, rows, message) in cases {
                let outcome = try run(arguments, rows: rows)
                #expect(outcome.status != 0 && outcome.output.isEmpty)
                #expect(outcome.errors.contains(message), "\(outcome.errors)")
                #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
            }
        }
    }
}
