import Foundation
import TestSupport
import Testing

/// The built program, run as a user runs it.
enum Program {
    struct Outcome {
        var status: Int32
        var output: String
        var errors: String
        var seconds: Double
    }

    /// The binary beside the test bundle.
    static let path = URL(fileURLWithPath: CommandLine.arguments[0])
        .deletingLastPathComponent().appendingPathComponent("flux2").path

    /// - Parameter environment: variables besides those of the tests.
    static func run(
        _ arguments: [String], environment: [String: String] = [:], in folder: String? = nil
    ) throws -> Outcome {
        try start(arguments, environment: environment, in: folder).finish()
    }

    static func start(
        _ arguments: [String], environment: [String: String] = [:], in folder: String? = nil
    ) throws -> Running {
        try Running(path, arguments, environment, folder)
    }

    /// Runs a script of this package, which starts the program by `FLUX2`.
    static func run(
        script: String, _ arguments: [String], environment: [String: String], in folder: String
    ) throws -> Outcome {
        try Running(
            "/bin/bash", [script] + arguments, ["FLUX2": path].merging(environment) { $1 }, folder
        ).finish()
    }

    final class Running {
        private let process = Process()
        private let begun = Date()
        private let folder: TemporaryFolder

        /// No test asks a hub that is not its own, or keeps anything for the next.
        private static let alone = [
            "HF_HUB_OFFLINE": "1", "FLUX2_PROMPT_CACHE": "off", "FLUX2_WEIGHT_CACHE": "off",
            // Who looks at a crash would have to be waited for.
            "SWIFT_BACKTRACE": "enable=no",
        ]

        init(
            _ program: String, _ arguments: [String], _ environment: [String: String],
            _ place: String?
        ) throws {
            folder = try TemporaryFolder()
            process.environment = ProcessInfo.processInfo.environment
                .merging(Self.alone) { $1 }.merging(environment) { $1 }
            if let place { process.currentDirectoryURL = URL(fileURLWithPath: place) }
            process.executableURL = URL(fileURLWithPath: program)
            process.arguments = arguments
            // Files instead of pipes, which would block a process that writes much.
            for name in ["out", "err"] {
                _ = FileManager.default.createFile(atPath: folder.file(name), contents: nil)
            }
            process.standardOutput = try FileHandle(
                forWritingTo: URL(fileURLWithPath: folder.file("out")))
            process.standardError = try FileHandle(
                forWritingTo: URL(fileURLWithPath: folder.file("err")))
            try process.run()
        }

        var errors: String {
            (try? String(contentsOfFile: folder.file("err"), encoding: .utf8)) ?? ""
        }

        var isRunning: Bool { process.isRunning }

        var identifier: Int32 { process.processIdentifier }

        /// What all cores have spent on it; 0 when it has ended, or where nothing tells.
        var processorSeconds: Double {
            let path = "/proc/\(identifier)/stat"
            let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
            let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
            let ticks = fields.dropFirst(11).prefix(2).compactMap { Double($0) }
            return ticks.reduce(0, +) / Double(sysconf(Int32(_SC_CLK_TCK)))
        }

        func interrupt() { process.interrupt() }

        func send(_ signal: Int32) { Foundation.kill(process.processIdentifier, signal) }

        /// Ends the program without a chance to tidy up.
        func kill() { Foundation.kill(process.processIdentifier, SIGKILL) }

        func finish() throws -> Outcome {
            process.waitUntilExit()
            return Outcome(
                status: process.terminationStatus,
                output: try String(contentsOfFile: folder.file("out"), encoding: .utf8),
                errors: errors, seconds: Date().timeIntervalSince(begun))
        }
    }
}

/// A generation with the tiny model that takes a fraction of a second.
func tinyArguments(
    _ prompt: String = "a red fox", model: String = Reference.ownModel("tiny-klein"),
    output: String, _ more: [String] = []
) -> [String] {
    [
        "generate", prompt, "--model", model, "--height", "64", "--width", "64", "--steps", "1",
        "--seed", "7", "--output", output,
    ] + more
}
