import ArgumentParser
import Foundation

/// How the program ends: the one place that says which error ends it with which code.
enum Exit: Int32, CaseIterable {
    case fine = 0
    case failed = 1
    case differs = 2
    case usage = 64
    case interrupted = 130

    /// What it tells scripts.
    var meaning: String {
        switch self {
        case .fine: "done"
        case .failed: "failed: a file, a number, a model, memory, the disk, the network"
        case .differs: "rerun --check found another image"
        case .usage: "arguments that are unknown, missing, or contradict each other"
        case .interrupted: "Ctrl-C; after another signal, 128 and its number"
        }
    }

    /// To be thrown where nothing more is to be said.
    var code: ExitCode { ExitCode(rawValue) }

    /// The code of an error.
    ///
    /// - Parameter command: whose arguments are concerned.
    static func code(for error: any Error, of command: any ParsableCommand.Type) -> Int32 {
        error is CancellationError
            ? Self.interrupted.rawValue : command.exitCode(for: error).rawValue
    }

    /// The code after a signal, as shells have it.
    static func code(ofSignal number: Int32) -> Int32 { 128 + number }

    /// All codes, a line each, for the help.
    static var table: String {
        allCases.map { exit in
            let number = "\(exit.rawValue)".padding(toLength: 5, withPad: " ", startingAt: 0)
            return "  \(number)\(exit.meaning)"
        }.joined(separator: "\n")
    }
}
