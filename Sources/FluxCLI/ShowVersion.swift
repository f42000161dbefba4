import ArgumentParser

/// The version as a command, which people try before they try an option.
struct ShowVersion: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Show the version.")

    @OptionGroup var result: ResultOptions

    private struct Row: Encodable { var version = Version.current }

    func run() throws { try result.show(Row(), result.report, Version.current) }
}
