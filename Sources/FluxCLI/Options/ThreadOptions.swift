import ArgumentParser

/// With how many threads the processor computes.
struct ThreadOptions: ParsableArguments {
    @Option(help: "Processor threads. Default: libtorch's choice.")
    var threads: Int?
}
