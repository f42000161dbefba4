import ArgumentParser

/// With how many threads the processor computes.
struct ThreadOptions: ParsableArguments {
    @Option(help: "Processor threads; libtorch's own choice when absent.")
    var threads: Int?
}
