@testable import FluxTraining
import Testing
import Torch

@Suite("An epoch") struct EpochPlanTests {
    private func plan(
        _ order: [Int], size: Int = 1, rank: Int = 0, of processes: Int = 1,
        key: (Int) -> String = { _ in "" }
    ) -> [[Int]] {
        EpochPlan(order: order, batchSize: size, rank: rank, processes: processes, key: key)
            .batches.map { $0.map(\.sample) }
    }

    @Test func isSharedAsAccelerateSharesIt() {
        let order = [6, 2, 5, 0, 1, 4, 3]
        #expect(plan(order, rank: 0, of: 2) == [[6], [5], [1], [3]])
        #expect(plan(order, rank: 1, of: 2) == [[2], [0], [4], [6]], "the end wraps around")
    }

    @Test func makesAnUpdateForTheRest() {
        let epoch = EpochPlan(order: Array(0..<7), batchSize: 1, rank: 0, processes: 1) { _ in "" }
        #expect(epoch.updates(accumulation: 2) == 4)
    }

    @Test func putsImagesOfOneSizeTogether() {
        let batches = plan(Array(0..<9), size: 2) { $0 % 3 == 0 ? "wide" : "high" }
        #expect(batches.allSatisfy { Set($0.map { $0 % 3 == 0 }).count == 1 })
        #expect(batches == [[1, 2], [0, 3], [4, 5], [7, 8], [6]])
    }

    @Test func hasAllSamplesInAnotherOrderEachTime() throws {
        let order = DataOrder(count: 5, repeats: 3, seed: 4)
        let (first, second) = try (order.samples(epoch: 0), order.samples(epoch: 1))
        for samples in [first, second] {
            #expect(samples.sorted() == (0..<15).map { $0 / 3 })
        }
        #expect(first != second)
        #expect(try first == order.samples(epoch: 0))
    }

    @Test func wrappedSamplesGetOtherNoise() {
        let plans = (0..<2).map {
            EpochPlan(order: [0, 1, 2], batchSize: 1, rank: $0, processes: 2) { _ in "" }
        }
        let places = plans.flatMap { $0.batches.flatMap { $0.map(\.place) } }
        #expect(Set(places).count == 4)
    }
}
