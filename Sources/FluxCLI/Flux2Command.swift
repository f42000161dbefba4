import ArgumentParser
import CFiles
import FileSupport

/// The entry: mends spellings, brings in what files say, then hands over to the parser.
@main
struct Main {
    static func main() async {
        cf_open_streams()
        MappedFile.explainFaults()
        ParentWatchdog.begin()
        do {
            try KernelOptions.checkEnvironment()
            let arguments = Spelling.dashed(try ForeignPath.arguments())
            try Suggestion.requireCommand(arguments)
            let expanded = expanded(NumericArguments.joined(arguments))
            try NumericArguments.check(expanded)
            try await run(expanded)
            Leaving.end()
        } catch let suggestion as Suggestion {
            suggestion.end()
        } catch {
            Leaving.end(with: error, of: Flux2Command.self)
        }
    }

    /// Errors of files of options show how `train` is used, which they belong to.
    private static func expanded(_ arguments: [String]) -> [String] {
        do {
            return try ConfigExpansion.expanded(arguments)
        } catch {
            Leaving.end(with: error, of: Train.self)
        }
    }

    private static func run(_ arguments: [String]) async throws {
        var command = try parsed(arguments)
        guard var work = command as? any AsyncParsableCommand else { return try command.run() }
        try await work.run()
    }

    private static func parsed(_ arguments: [String]) throws -> any ParsableCommand {
        // A command with options of its own takes them before those below it see theirs.
        let (below, path) = Suggestion.command(of: arguments)
        let isAlone = below.configuration._superCommandName != nil
        let (root, rest) = isAlone ? (below, path.count) : (Flux2Command.self, 0)
        do {
            return try root.parseAsRoot(Array(arguments.dropFirst(rest)))
        } catch {
            if let suggestion = Suggestion(unknownOption: error, in: arguments) { throw suggestion }
            Leaving.end(with: error, of: root)
        }
    }
}

struct Flux2Command: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flux2",
        abstract: "Make images with FLUX.2 models, and train them.",
        discussion: """
            A first image: flux2 generate "a red fox in the snow"

            In all commands -m is the model, and -o is what to write; --force replaces files. --json \
            prints the result as JSON, -q silences progress.

            Exit codes:
            \(Exit.table)
            """,
        version: Version.current,
        subcommands: [
            Generate.self, Train.self, Evaluate.self, Plan.self, Rerun.self, Models.self,
            Download.self, LoRACommand.self, Assemble.self, Quantize.self, Inspect.self,
            Launch.self, Doctor.self, Bench.self, ShowVersion.self, DistributedSelfTest.self,
        ])
}

enum Version {
    static let current = "0.1.0"
}

/// Option names as DiffSynth-Studio spells them, with underscores, and as this program does.
enum Spelling {
    /// Replaces underscores in the names of long options; values and what follows `--` stay.
    static func dashed(_ arguments: [String]) -> [String] {
        let end = arguments.firstIndex(of: "--") ?? arguments.count
        return arguments.enumerated().map { index, argument in
            guard index < end, argument.hasPrefix("--"), let first = argument.dropFirst(2).first,
                first.isLetter
            else { return argument }
            let name = argument.prefix { $0 != "=" }
            return String(name.replacing("_", with: "-") + argument.dropFirst(name.count))
        }
    }
}
