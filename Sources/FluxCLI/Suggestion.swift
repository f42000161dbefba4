import ArgumentParser
import Flux2

/// An unknown command or option, with the known ones that may have been meant.
struct Suggestion: Error {
    var text: String
    /// The words that call the command whose help tells more.
    var command: [String]

    /// Ends the program as the parser does for what it does not understand.
    func end() -> Never {
        let help = (["flux2"] + command + ["--help"]).joined(separator: " ")
        Leaving.end(
            with: "Error: \(text)\n  See '\(help)' for more information.", .usage)
    }

    private init(text: String, command: [String]) {
        self.text = text
        self.command = command
    }

    /// Refuses words that stand where a command has to, and are none.
    static func requireCommand(_ arguments: [String]) throws {
        var command: any ParsableCommand.Type = Flux2Command.self
        for (index, word) in arguments.enumerated() {
            let configuration = command.configuration
            guard !word.hasPrefix("-"), !configuration.subcommands.isEmpty else { return }
            let names = configuration.subcommands.map { $0._commandName }
            if let place = names.firstIndex(of: word) {
                command = configuration.subcommands[place]
                continue
            }
            // Where there is a default, the word is an argument of that.
            guard configuration.defaultSubcommand == nil, word != "help" else { return }
            throw Suggestion(
                text: "Unknown command '\(word)'\(Nearest.question(word, among: names))",
                command: Array(arguments[..<index]))
        }
    }

    /// What to say of an option that the command does not have; nil for other errors. The parser's own
    /// proposals are by letters alone, and forget names that begin so.
    init?(unknownOption error: any Error, in arguments: [String]) {
        let words = Flux2Command.message(for: error).split(separator: "'")
        guard words.count > 1, words[0] == "Unknown option ", words[1].hasPrefix("--") else {
            return nil
        }
        let option = String(words[1])
        let (type, path) = Self.command(of: arguments)
        let spelled = Self.options(of: type).map { String($0.dropFirst(2)) }
        let meant = Nearest.names(to: String(option.dropFirst(2)), among: spelled)
        guard !meant.isEmpty else { return nil }
        command = path
        text =
            "Unknown option '\(option)'" + Nearest.question(choosing: meant.map { "--" + $0 })
    }

    /// The command that arguments call, as deep as they name one.
    static func command(
        of arguments: [String]
    ) -> (any ParsableCommand.Type, path: [String]) {
        var command: any ParsableCommand.Type = Flux2Command.self
        var path: [String] = []
        for word in arguments {
            let subcommands = command.configuration.subcommands
            guard let next = subcommands.first(where: { $0._commandName == word }) else { break }
            command = next
            path.append(word)
        }
        return (command.configuration.defaultSubcommand ?? command, path)
    }

    /// The long names of a command's options, as its help lists them.
    private static func options(of command: any ParsableCommand.Type) -> [String] {
        let lines = command.helpMessage(includeHidden: false, columns: 400).split(separator: "\n")
        return lines.flatMap { line -> [String] in
            let words = line.split { " ,<>/[]()".contains($0) }.map(String.init)
            guard line.hasPrefix("  -"), words.first?.hasPrefix("-") == true else { return [] }
            return words.prefix { $0.hasPrefix("-") }.filter { $0.hasPrefix("--") }
        }
    }
}
