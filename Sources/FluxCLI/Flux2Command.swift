import ArgumentParser

/// The entry: mends spellings, brings in what files say, then hands over to the parser.
@main
struct Main {
    static func main() async {
        LauncherWatch.begin()
        let arguments = Spelling.dashed(Array(CommandLine.arguments.dropFirst()))
        do {
            try KernelOptions.checkEnvironment()
            try Suggestion.requireCommand(arguments)
            let expanded = try ConfigExpansion.expanded(NumericArguments.joined(arguments))
            try Suggestion.requireOptions(expanded)
            try NumericArguments.check(expanded)
            await Flux2Command.main(expanded)
        } catch let suggestion as Suggestion {
            suggestion.command.exit(withError: ValidationError(suggestion.text))
        } catch {
            Train.exit(withError: error)
        }
    }
}

struct Flux2Command: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flux2",
        abstract: "Make pictures with FLUX.2 models, and train them.",
        version: Version.current,
        subcommands: [
            Generate.self, Train.self, Evaluate.self, Plan.self, Rerun.self, Models.self,
            Download.self, LoRACommand.self, Assemble.self, Quantize.self, Inspect.self,
            Launch.self, Doctor.self, Bench.self, GroupCheck.self,
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
