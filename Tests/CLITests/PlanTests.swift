import Flux2
import Foundation
import Imaging
import TestSupport
import Testing

extension CommandLineTests {
    @Suite("Memory from the command line", .serialized)
    struct Planning {
        private let folder: TemporaryFolder
        private let tiny = Reference.ownModel("tiny-klein")

        init() throws { folder = try TemporaryFolder() }

        private func objects(_ text: String) throws -> [[String: Any]] {
            try text.split(separator: "\n").compactMap { line in
                try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            }
        }

        private func generate(_ arguments: [String]) throws -> [[String: Any]] {
            let outcome = try Program.run(
                [
                    "generate", "a fox", "--model", tiny, "--seed", "1", "--height", "64",
                    "--width", "64", "--steps", "2", "--json", "--quiet", "--force", "--output",
                    folder.file("x.png"),
                ] + arguments)
            #expect(outcome.status == 0, "\(outcome.errors)")
            return try objects(outcome.output)
        }

        @Test("a plan is a table, a drawing and JSON, and makes no image")
        func aPlanIsATable() throws {
            let svg = folder.file("plan.svg")
            let arguments = ["plan", "a fox", "--model", tiny, "--height", "64", "--width", "64"]
            let table = try Program.run(arguments + ["--svg", svg, "--low-vram"])
            #expect(table.status == 0, "\(table.errors)")
            for word in ["GiB", "denoise", "transformer", "float8", "at most", "░"] {
                #expect(table.output.contains(word), "\(table.output)")
            }
            let drawing = try String(contentsOfFile: svg, encoding: .utf8)
            #expect(drawing.hasPrefix("<svg") && drawing.contains("</svg>"))
            #expect(try Program.run(arguments + ["--svg", svg]).status != 0, "it is there already")

            let json = try #require(objects(Program.run(arguments + ["--json"]).output).first)
            #expect((json["stages"] as? [Any])?.count == 3)
            #expect(json["device"] as? String == "cpu")
        }

        @Test(
            "what cannot be is one line and no image",
            arguments: [
                (["--vram-limit", "0.05"], "not enough memory on cpu"),
                (["--ram-limit", "0.05"], "not enough memory on"),
                (["--ram-limit", "0"], "--ram-limit must be a number above 0"),
                (["--vram-limit", "-1"], "vram-limit"),
                (["--weights", "int7"], "weights"),
                (["--weights", "vea=int8"], "weights"),
                (["--low-vram", "--weights", "int8"], "give one of"),
                (["--vram-config", "/nowhere.json"], "/nowhere.json must be a JSON object"),
                (["--rehearse"], "--rehearse needs --vram-limit"),
            ])
        func whatCannotBe(_ arguments: [String], _ words: String) throws {
            let image = folder.file("none.png")
            let outcome = try Program.run(
                ["generate", "a fox", "--model", tiny, "--output", image, "--quiet"] + arguments)
            #expect(outcome.status != 0)
            #expect(outcome.errors.contains(words), "\(outcome.errors)")
            #expect(!FileManager.default.fileExists(atPath: image))
        }

        @Test("a second image reads nothing from the disk and quantizes nothing")
        func aSecondImageReadsNothing() throws {
            let runs = try generate([
                "--count", "2", "--rehearse", "--vram-limit", "1", "--weights", "float8-row",
            ])
            let memory = runs.compactMap { $0["memory"] as? [String: Any] }
            #expect(memory.count == 2)
            let streamed = memory.compactMap { $0["streamed"] as? [String: Any] }
            #expect(streamed.allSatisfy { $0["read"] as? Int == 0 })
            let cache = folder.file("weights")
            let twice = try ["a", "b"].map { name in
                try Program.run(
                    [
                        "generate", "a fox", "--model", tiny, "--height", "64", "--width", "64",
                        "--steps", "1", "--seed", "1", "--weights", "int8", "--output",
                        folder.file("\(name).png"),
                    ], environment: ["FLUX2_WEIGHT_CACHE": cache])
            }
            #expect(twice[0].errors.contains("kept") && !twice[1].errors.contains("kept"))
            #expect(
                try Image(contentsOf: folder.file("a.png"))
                    == Image(contentsOf: folder.file("b.png")))
        }

        /// Private memory of the process in the tenth image and in the last.
        @Test("a hundred images take no more memory than ten")
        func aHundredImages() throws {
            let count =
                ProcessInfo.processInfo.environment["FLUX2_SLOW_TESTS"] == nil ? 40 : 100
            let peaks = try generate(["--count", "\(count)"]).compactMap {
                ($0["memory"] as? [String: Any])?["peak_private_bytes"] as? Int
            }
            #expect(peaks.count == count)
            let (early, late) = (Double(peaks[9]), Double(peaks[count - 1]))
            #expect(abs(late / early - 1) < 0.01, "\(early), \(late)")
        }
    }
}
