import ArgumentParser

/// With how many threads the processor computes.
struct ThreadOptions: ParsableArguments {
    @Option(help: "Processor threads; libtorch's own choice when absent.")
    var threads: Int?

    func validate() throws {
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads must be 1 to 1024, not \(threads)")
        }
    }
}
