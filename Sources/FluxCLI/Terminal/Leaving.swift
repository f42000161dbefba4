import ArgumentParser
import CFiles
import Files
import Foundation

/// The ends of the program. What was printed is handed over first; then the process goes at once,
/// without the destructors of libraries, which take a quarter of a second.
enum Leaving {
    /// Ends successfully, unless standard output did not take everything.
    static func end() -> Never { end(0) }

    /// Tells of an error and ends; help and versions, which come as errors, too.
    ///
    /// - Parameter command: whose usage is shown.
    static func end(with error: any Error, of command: any ParsableCommand.Type) -> Never {
        let status = command.exitCode(for: error)
        let text = command.fullMessage(for: error)
        if !text.isEmpty {
            if status.isSuccess { print(text) } else { Reporter(quiet: false).tell(text + "\n") }
        }
        end(status.rawValue)
    }

    /// Tells of what is wrong in words of its own, and ends.
    static func end(with text: String, _ status: ExitCode) -> Never {
        Reporter(quiet: false).tell(text + "\n")
        end(status.rawValue)
    }

    private static func end(_ status: Int32) -> Never {
        let code = cf_end_output()
        if code != 0 {
            let error = FileError(
                path: "standard output", reason: .failed(action: "write", code: code))
            Reporter(quiet: false).tell("Error: \(error)\n")
        }
        _exit(status == 0 && code != 0 ? 1 : status)
    }
}
