/// Reads samples on other threads, a few ahead of their use, and hands them out in order.
struct Prefetcher {
    private let source: any SampleSource
    private let ahead: Int
    private var numbers: ArraySlice<Int>
    private var pending: [Task<Result<LoadedSample, any Error>, Never>] = []

    /// - Parameter workers: samples that are read at once; 0 reads each when it is asked for.
    init(_ source: any SampleSource, numbers: [Int], workers: Int) {
        self.source = source
        self.numbers = numbers[...]
        ahead = workers == 0 ? 0 : workers + 1
    }

    /// The next sample; nil after the last.
    mutating func next(
        isolation: isolated (any Actor)? = #isolation
    ) async -> Result<LoadedSample, any Error>? {
        while pending.count < max(1, ahead), let number = numbers.popFirst() {
            let source = source
            pending.append(
                Task.detached(priority: .utility) { Result { try source.load(number) } })
        }
        guard !pending.isEmpty else { return nil }
        return await pending.removeFirst().value
    }

    /// Ends what is being read.
    mutating func cancel() {
        pending.forEach { $0.cancel() }
        pending = []
    }
}
