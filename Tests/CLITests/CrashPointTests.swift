#if os(Linux)
    import Foundation
    import Checkpoints
    import TestSupport
    import Testing

    /// A command that leaves files in a folder.
    struct CrashingCommand: CustomTestStringConvertible {
        let name: String
        /// The arguments that write into a folder.
        let arguments: @Sendable (_ folder: String) -> [String]
        /// What is given besides when the command is run again in the folder that it was killed in.
        var again: @Sendable (_ folder: String) -> [String] = { _ in ["--force"] }
        /// Variables of the process.
        var environment: [String: String] = [:]
        /// Files that have the same bytes however often the command was killed before.
        var isCompared: @Sendable (_ name: String) -> Bool = { _ in true }

        var testDescription: String { name }

        private static let model = Reference.ownModel("tiny-klein")
        private static let lora = Reference.own + "/inputs/lora/diffsynth.safetensors"

        static let all = [
            CrashingCommand(name: "generate") {
                tinyArguments(
                    output: $0 + "/a.png",
                    ["--save-latents", $0 + "/l.safetensors", "--threads", "1"])
            },
            CrashingCommand(name: "quantize") {
                ["quantize", model, $0 + "/q.safetensors", "--format", "int8", "--quiet"]
            },
            CrashingCommand(name: "assemble") {
                ["assemble", model, "--lora", lora, "--output", $0 + "/model", "--quiet"]
            },
            CrashingCommand(name: "lora convert") {
                [
                    "lora", "convert", lora, "--model", model, "--to", "peft", "-o",
                    $0 + "/peft",
                ]
            },
        ]
    }

    extension CommandLineTests {
        @Suite("Commands that end at any moment", .serialized)
        struct CrashPoints {
            private static let isSlow =
                ProcessInfo.processInfo.environment["FLUX2_SLOW_TESTS"] != nil

            /// The files of a folder with their bytes.
            private func files(_ folder: String) throws -> [String: Data] {
                let names = try FileManager.default.subpathsOfDirectory(atPath: folder)
                return try names.reduce(into: [:]) { all, name in
                    var isFolder: ObjCBool = false
                    let path = folder + "/" + name
                    _ = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
                    if !isFolder.boolValue {
                        all[name] = try Data(contentsOf: URL(fileURLWithPath: path))
                    }
                }
            }

            private func isDraft(_ path: String) -> Bool {
                path.split(separator: "/").contains { $0.hasPrefix(".") }
            }

            /// What has its name is complete.
            private func expectWhole(
                _ out: String, of expected: [String: Data], _ command: CrashingCommand,
                _ place: String
            ) throws {
                for (name, bytes) in try files(out) where !isDraft(name) {
                    if command.isCompared(name) {
                        #expect(bytes == expected[name], "\(command.name) \(place): \(name)")
                    } else if name.hasSuffix(".safetensors") {
                        #expect(throws: Never.self, "\(command.name) \(place): \(name)") {
                            _ = try SafetensorsFile(path: out + "/" + name)
                        }
                    }
                }
            }

            /// All is as if nothing had happened, and nothing else is left.
            private func expectSame(
                _ out: String, _ expected: [String: Data], _ command: CrashingCommand,
                _ place: String
            ) throws {
                let found = try files(out)
                #expect(Set(found.keys) == Set(expected.keys), "\(command.name) \(place)")
                for (name, bytes) in found where command.isCompared(name) {
                    #expect(bytes == expected[name], "\(command.name) \(place): \(name)")
                }
            }

            /// What a run leaves, killed before a call; 0 lets it end.
            private func run(
                _ command: CrashingCommand, in out: String, at point: Int, _ shim: Shim,
                _ more: [String] = []
            ) throws -> (outcome: Program.Outcome, calls: Int) {
                let log = out + ".calls"
                let outcome = try Program.run(
                    command.arguments(out) + more,
                    environment: command.environment.merging([
                        "LD_PRELOAD": shim.path, "CRASH_FOLDER": out, "CRASH_AT": "\(point)",
                        "CRASH_LOG": log,
                    ]) { $1 })
                let calls = try? String(contentsOfFile: log, encoding: .utf8)
                return (outcome, calls.flatMap(Int.init) ?? 0)
            }

            @Test(.enabled(if: Shim.compiler != nil), arguments: CrashingCommand.all)
            func leaveWholeFilesOrNoneAndAreMadeGoodByTheNextRun(_ command: CrashingCommand) throws
            {
                try killAtCalls(command)
            }

            @Test(.enabled(if: Shim.compiler != nil)) func trainingGoesOn() throws {
                let place = try TrainingPlace(images: 2)
                let arguments = place.arguments(TrainingPlace.lora + ["--save_steps", "1"])
                let command = CrashingCommand(name: "train") { out in
                    arguments + ["--output_path", out]
                } again: { out in
                    let state = out + "/training_state.safetensors"
                    if FileManager.default.fileExists(atPath: state) { return ["--resume"] }
                    // Nothing was saved that one could go on from.
                    for name in (try? FileManager.default.contentsOfDirectory(atPath: out)) ?? [] {
                        try? FileManager.default.removeItem(atPath: out + "/" + name)
                    }
                    return []
                } isCompared: {
                    $0.hasPrefix("step-")
                }
                try withExtendedLifetime(place) { try killAtCalls(command) }
            }

            @Test(.enabled(if: Shim.compiler != nil)) func downloadsGoOn() throws {
                let (hub, home) = (try LocalHub(), try TemporaryFolder())
                let content = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
                try hub.add(
                    "owner/x", ["config.json": Data("{}".utf8), "large.bin": Data(content)])
                var environment = hub.environment(in: home.path)
                environment["HF_HUB_OFFLINE"] = "0"
                let command = CrashingCommand(
                    name: "download",
                    arguments: {
                        [
                            "download", "owner/x", "--hub", "huggingface", "--local-dir", $0,
                            "--quiet",
                        ]
                    }, again: { _ in [] }, environment: environment,
                    isCompared: { !$0.hasPrefix(".") })
                try killAtCalls(command)
            }

            /// Kills before each call, or before some, and runs the command again.
            private func killAtCalls(_ command: CrashingCommand) throws {
                let folder = try TemporaryFolder()
                let shim = try CrashShim.make(in: folder)
                func fresh(_ name: String) throws -> String {
                    let out = folder.file(name)
                    try FileManager.default.createDirectory(
                        atPath: out, withIntermediateDirectories: true)
                    return out
                }
                let whole = try fresh("whole")
                let (outcome, calls) = try run(command, in: whole, at: 0, shim)
                #expect(outcome.status == 0, "\(outcome.errors)")
                #expect(calls > 3)
                let expected = try files(whole)
                var generator = SystemRandomNumberGenerator()
                let all = Array(1...max(1, calls))
                let points = Self.isSlow ? all : Array(all.shuffled(using: &generator).prefix(3))
                for point in points {
                    let out = try fresh("at-\(point)")
                    let killed = try run(command, in: out, at: point, shim).outcome
                    // With threads, not all runs have as many calls.
                    #expect([0, SIGKILL].contains(killed.status), "\(command.name) at \(point)")
                    try expectWhole(out, of: expected, command, "at \(point)")
                    let again = try Program.run(
                        command.arguments(out) + command.again(out),
                        environment: command.environment)
                    #expect(again.status == 0, "\(command.name) at \(point): \(again.errors)")
                    try expectSame(out, expected, command, "at \(point)")
                    try FileManager.default.removeItem(atPath: out)
                }
            }

            /// Kills at moments that nothing chose.
            @Test(arguments: CrashingCommand.all)
            func leaveWholeFilesWheneverTheyAreKilled(_ command: CrashingCommand) throws {
                let folder = try TemporaryFolder()
                let (whole, out) = (folder.file("whole"), folder.file("out"))
                for place in [whole, out] {
                    try FileManager.default.createDirectory(
                        atPath: place, withIntermediateDirectories: true)
                }
                let first = try Program.run(command.arguments(whole))
                #expect(first.status == 0, "\(first.errors)")
                let expected = try files(whole)
                for _ in 0..<(Self.isSlow ? 50 : 2) {
                    let running = try Program.start(command.arguments(out) + command.again(out))
                    Thread.sleep(forTimeInterval: .random(in: 0..<first.seconds))
                    running.kill()
                    _ = try running.finish()
                    try expectWhole(out, of: expected, command, "at random")
                }
                let last = try Program.run(command.arguments(out) + command.again(out))
                #expect(last.status == 0, "\(last.errors)")
                try expectSame(out, expected, command, "at random")
            }
        }
    }
#endif
