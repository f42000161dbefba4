import ArgumentParser
import CFiles
import FileSupport
import Flux2
import Foundation
import ModelHub

/// The ends of the program. What was printed is handed over first; then the process goes at once,
/// without the destructors of libraries, which take a quarter of a second.
enum Leaving {
    /// Ends successfully, unless standard output did not take everything.
    static func end() -> Never { end(Exit.fine.rawValue) }

    /// Tells of an error and ends; help and versions, which come as errors, too.
    ///
    /// - Parameter command: whose usage is shown.
    static func end(with error: any Error, of command: any ParsableCommand.Type) -> Never {
        let status = Exit.code(for: error, of: command)
        let text = inOneLine(command.fullMessage(for: error)) + suggestion(for: error)
        if !text.isEmpty {
            if status == Exit.fine.rawValue {
                print(text)
            } else {
                Reporter(quiet: false).tell(text + "\n")
            }
        }
        end(status)
    }

    /// Published models with names like one that no place has.
    private static func suggestion(for error: any Error) -> String {
        guard let error = error as? HubError else { return "" }
        switch error.reason {
        case .offline, .notHere, .noRepository:
            // Parts that are missing stand behind the model's name.
            let name = String(error.subject.prefix { $0 != ":" })
            return Variant.allCases.map(\.hubID).contains(name) ? "" : Nearest.model(name)
        default: return ""
        }
    }

    /// Values to choose from stand below each other where there are many; here they follow the error.
    private static func inOneLine(_ text: String) -> String {
        text.replacing(#/one of the following:\n(?<list>(?:  - .*\n)+)/#) { match in
            let values = match.list.split(separator: "\n").map { $0.dropFirst("  - ".count) }
            return "one of \(values.joined(separator: ", ")).\n"
        }
    }

    /// Tells of what is wrong in words of its own, and ends.
    static func end(with text: String, _ status: Exit) -> Never {
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
        _exit(status == Exit.fine.rawValue && code != 0 ? Exit.failed.rawValue : status)
    }
}
