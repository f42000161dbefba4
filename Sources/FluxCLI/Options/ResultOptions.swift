import ArgumentParser

/// How a command tells its result; the same in all commands that have no options of their own for it.
struct ResultOptions: ParsableArguments {
    @Flag(help: "Result as JSON, with all warnings, and nothing else on standard output.")
    var json = false

    @Flag(name: .shortAndLong, help: "No progress, no notices; warnings stay.")
    var quiet = false

    /// What is said besides the result.
    var report: Reporter { Reporter(quiet: quiet) }

    /// The same for another command.
    var arguments: [String] { (json ? ["--json"] : []) + (quiet ? ["--quiet"] : []) }

    /// Prints what was asked for, in words or as an object with all warnings.
    func show(
        _ value: some Encodable, _ report: Reporter, _ text: @autoclosure () -> String
    ) throws {
        print(json ? try JSON.line(value, warnings: report.warnings) : text())
    }

    /// Prints what became of files that were asked for; words are left out where files are enough.
    func tell(
        _ value: some Encodable, _ report: Reporter, _ lines: @autoclosure () -> [String]
    ) throws {
        if json {
            print(try JSON.line(value, warnings: report.warnings))
        } else if !quiet {
            lines().forEach { print($0) }
        }
    }
}
