import Foundation
import Imaging
import TestSupport
import Testing

extension CommandLineTests {
    @Suite("Several images in one run", .serialized)
    struct Batches {
        @Test func areThoseOfSingleRuns() throws {
            let folder = try TemporaryFolder()
            let prompts = folder.file("prompts.txt")
            try "a red fox\n\na blue hat\n".write(
                toFile: prompts, atomically: true, encoding: .utf8)
            var arguments = tinyArguments(output: folder.file("a.png"))
            arguments.remove(at: 1)
            let outcome = try Program.run(
                arguments + ["--prompt-file", prompts, "--count", "2", "--grid", "--json"])
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(outcome.output.split(separator: "\n").count == 4)
            let made = try (1...4).map { try Image(contentsOf: folder.file("a-00\($0).png")) }
            let cases = [
                ("a red fox", "7"), ("a red fox", "8"), ("a blue hat", "7"), ("a blue hat", "8"),
            ]
            for ((prompt, seed), image) in zip(cases, made) {
                let single = folder.file("single.png")
                let alone = try Program.run(
                    tinyArguments(prompt, output: single, ["--seed", seed, "--force"]))
                #expect(alone.status == 0, "\(alone.errors)")
                #expect(try Image(contentsOf: single) == image)
            }
            let sheet = try Image(contentsOf: folder.file("a-grid.png"))
            #expect(sheet.width == 2 * 64 + 3 * 8 && sheet.height == 2 * 64 + 3 * 8)
            #expect(Set(made.map(\.pixels)).count == 4)
        }

        /// A list of prompts may come from any program, and be a pipe.
        @Test func takePromptsInAllEncodings() throws {
            let folder = try TemporaryFolder()
            let prompts = folder.file("prompts.txt")
            func run() throws -> Program.Outcome {
                var arguments = tinyArguments(output: folder.file("a.png"), ["--force", "--json"])
                arguments.remove(at: 1)
                return try Program.run(arguments + ["--prompt-file", prompts])
            }
            #expect(try run().errors.contains("prompts.txt: cannot open: no such file or folder"))
            var seen: Set<Data> = []
            for encoding in [String.Encoding.utf8, .utf16, .windowsCP1252] {
                let text = "\r\nun café bleu\r\n\r\n"
                try #require(text.data(using: encoding)).write(to: URL(fileURLWithPath: prompts))
                let outcome = try run()
                #expect(outcome.status == 0, "\(outcome.errors)")
                let isGuessed = outcome.errors.contains("warning: \(prompts): is no UTF-8")
                #expect(isGuessed == (encoding == .windowsCP1252))
                seen.insert(try Data(contentsOf: URL(fileURLWithPath: folder.file("a.png"))))
            }
            #expect(seen.count == 1)
        }

        @Test func readThePromptsOfEarlierRunsFromADisk() throws {
            let folder = try TemporaryFolder()
            let cache = ["FLUX2_PROMPT_CACHE": folder.file("prompts")]
            let made = try [[], [], ["--no-prompt-cache"]].enumerated().map { index, more in
                let path = folder.file("\(index).png")
                let outcome = try Program.run(
                    tinyArguments(output: path, more), environment: cache)
                #expect(outcome.status == 0)
                #expect(outcome.errors.contains("encoded before") == (index == 1))
                #expect(outcome.errors.contains("text encoder:") == (index != 1))
                return try Image(contentsOf: path)
            }
            #expect(made[0] == made[1] && made[1] == made[2])
        }

        /// A place where prompts cannot be kept costs a line, not the image; neither does a
        /// standard error that nobody reads.
        @Test func areMadeWhereNothingCanBeKeptOrTold() throws {
            let folder = try TemporaryFolder()
            let outcome = try Program.run(
                tinyArguments(output: folder.file("a.png")),
                environment: ["FLUX2_PROMPT_CACHE": "/proc/none/prompts"])
            #expect(outcome.status == 0)
            #expect(outcome.errors.contains("warning: the prompt is not kept for the next time"))
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments =
                ["-c", "exec \"$0\" \"$@\" 2> /dev/full", Program.path]
                + tinyArguments(output: folder.file("b.png"))
            try process.run()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
            #expect(folder.contents == ["a.png", "b.png"])
        }

        @Test func areRefusedTogetherWhenOneExists() throws {
            let folder = try TemporaryFolder()
            _ = FileManager.default.createFile(atPath: folder.file("a-003.png"), contents: Data())
            let outcome = try Program.run(
                tinyArguments(output: folder.file("a.png"), ["--count", "3"]))
            #expect(outcome.status == 1)
            #expect(outcome.errors.contains("a-003.png"))
            #expect(folder.contents == ["a-003.png"])
        }
    }
}
