import ArgumentParser

/// Measurements, each a command of its own.
struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure how fast this machine computes.", subcommands: [BenchKernels.self])
}
