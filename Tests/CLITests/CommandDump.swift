import Foundation

/// The commands as the parser itself lists them.
struct CommandDump: Decodable {
    struct Name: Decodable {
        var kind: String
        var name: String
    }

    struct Argument: Decodable {
        var kind: String
        var names: [Name]?
        var abstract: String?
        var valueName: String?

        var long: [String] { (names ?? []).filter { $0.kind == "long" }.map(\.name) }
        var short: [String] { (names ?? []).filter { $0.kind == "short" }.map(\.name) }
    }

    struct Command: Decodable {
        var commandName: String
        var abstract: String?
        var discussion: String?
        var arguments: [Argument]?
        var subcommands: [Command]?

        /// Whether it does something itself.
        var isRun: Bool {
            subcommands == nil
                || (arguments ?? []).contains {
                    $0.kind == "positional" || !Set($0.long).isSubset(of: ["help", "version"])
                }
        }

        func argument(_ long: String) -> Argument? {
            (arguments ?? []).first { $0.long.contains(long) }
        }
    }

    private struct Root: Decodable { var command: Command }

    /// By their words, such as `lora merge`; the program itself is "".
    let commands: [String: Command]

    init(from decoder: any Decoder) throws {
        var found: [String: Command] = [:]
        func walk(_ command: Command, _ path: String) {
            found[path] = command
            for lower in command.subcommands ?? [] where lower.commandName != "help" {
                walk(lower, path.isEmpty ? lower.commandName : path + " " + lower.commandName)
            }
        }
        walk(try Root(from: decoder).command, "")
        commands = found
    }

    /// Those of the built program.
    static func read() throws -> CommandDump {
        let text = try Program.run(["--experimental-dump-help"]).output
        return try JSONDecoder().decode(CommandDump.self, from: Data(text.utf8))
    }
}
