import ArgumentParser

/// Measurements, each a command of its own.
struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure how fast this machine computes.",
        subcommands: [BenchRequest.self, BenchKernels.self], defaultSubcommand: BenchRequest.self)
}
