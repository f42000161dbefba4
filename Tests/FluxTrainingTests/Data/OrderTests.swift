@testable import FluxTraining
import Testing

@Suite("Orders of samples")
struct OrderTests {
    @Test func anEpochHasEachSampleAsOftenAsItIsRepeated() throws {
        let order = DataOrder(count: 7, repeats: 3, seed: 1)
        for epoch in 0..<3 {
            let samples = try order.samples(epoch: epoch)
            for number in 0..<7 { #expect(samples.count { $0 == number } == 3) }
        }
        #expect(try order.samples(epoch: 0) != order.samples(epoch: 1))
        #expect(try order.samples(epoch: 1) == order.samples(epoch: 1))
        #expect(
            try DataOrder(count: 7, repeats: 3, seed: 2).samples(epoch: 0)
                != order.samples(epoch: 0))
    }

    /// 7 samples for 2 processes are 4 for each, of which one comes again.
    @Test func theEndIsFilledUpFromTheBeginning() {
        func plan(_ rank: Int) -> EpochPlan {
            EpochPlan(order: Array(0..<7), batchSize: 1, rank: rank, processes: 2) { _ in "" }
        }
        #expect(plan(0).batches.map { $0[0].sample } == [0, 2, 4, 6])
        #expect(plan(1).batches.map { $0[0].sample } == [1, 3, 5, 0])
        // With random numbers of its own.
        #expect(plan(1).batches[3][0].place == 7)
        #expect(plan(0).updates(accumulation: 2) == 2)
    }

    @Test func theLastUpdateOfAnEpochMayBeSmaller() {
        let plan = EpochPlan(order: Array(0..<7), batchSize: 1, rank: 0, processes: 1) { _ in "" }
        #expect(plan.updates(accumulation: 2) == 4)
    }

    @Test func samplesOfOneSizeComeTogether() {
        let keys = ["a", "b", "a", "a", "b", "c", "a"]
        let plan = EpochPlan(order: Array(0..<7), batchSize: 2, rank: 0, processes: 1) { keys[$0] }
        let batches = plan.batches.map { $0.map(\.sample) }
        #expect(batches == [[0, 2], [1, 4], [3, 6], [5]])
    }
}
