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

    static func run(_ arguments: [String]) throws -> Outcome {
        try start(arguments).finish()
    }

    static func start(_ arguments: [String]) throws -> Running { try Running(arguments) }

    final class Running {
        private let process = Process()
        private let begun = Date()
        private let folder: TemporaryFolder

        init(_ arguments: [String]) throws {
            folder = try TemporaryFolder()
            process.executableURL = URL(fileURLWithPath: Program.path)
            process.arguments = arguments
            // Files instead of pipes, which would block a process that writes much.
            for name in ["out", "err"] {
                FileManager.default.createFile(atPath: folder.file(name), contents: nil)
            }
            process.standardOutput = try FileHandle(
                forWritingTo: URL(fileURLWithPath: folder.file("out")))
            process.standardError = try FileHandle(
                forWritingTo: URL(fileURLWithPath: folder.file("err")))
            try process.run()
        }

        var errors: String { (try? String(contentsOfFile: folder.file("err"), encoding: .utf8)) ?? "" }

        func interrupt() { process.interrupt() }

        func finish() throws -> Outcome {
            process.waitUntilExit()
            return Outcome(
                status: process.terminationStatus,
                output: try String(contentsOfFile: folder.file("out"), encoding: .utf8),
                errors: errors, seconds: Date().timeIntervalSince(begun))
        }
    }
}

/// A folder that disappears with its owner.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "flux2-test-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }

    var contents: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
    }

    /// A copy of a tiny model that a test may damage.
    func model(_ name: String = "tiny-klein") throws -> String {
        let copy = file(name)
        try FileManager.default.copyItem(atPath: Reference.path("models/\(name)"), toPath: copy)
        return copy
    }
}

/// A generation with the tiny model that takes a fraction of a second.
func tinyArguments(
    _ prompt: String = "a red fox", model: String = Reference.path("models/tiny-klein"),
    output: String, _ more: [String] = []
) -> [String] {
    [
        "generate", prompt, "--model", model, "--height", "64", "--width", "64", "--steps", "1",
        "--seed", "7", "--output", output,
    ] + more
}
