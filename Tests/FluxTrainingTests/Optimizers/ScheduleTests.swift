import FluxTraining
import Foundation
import TestSupport
import Testing

@Suite struct ScheduleTests {
    private struct Expected: Decodable {
        var shape: String
        var warmup: Int
        var updates: Int
        var factors: [Double]
        var num_cycles: Int?
        var min_lr_rate: Double?
        var power: Double?
        var lr_end: Double?

        func schedule() throws -> RateSchedule {
            let shape: RateSchedule.Shape =
                switch self.shape {
                case "constant_with_warmup": .constant
                case "linear": .linear
                case "cosine_with_min_lr": .cosine(floor: try #require(min_lr_rate))
                case "cosine_with_restarts":
                    .cosineWithRestarts(cycles: try #require(num_cycles))
                default: .polynomial(power: try #require(power), floor: try #require(lr_end))
                }
            return RateSchedule(shape, rate: 3, warmup: warmup, updates: updates)
        }
    }

    private struct File: Decodable { var schedules: [Expected] }

    /// Warm-ups of transformers begin with a rate of 0, which would waste an update; this package
    /// begins one later.
    @Test func ratesAreThoseOfTransformers() throws {
        let path = "\(Reference.own)/goldens/optimizers/schedules.json"
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        let file = try JSONDecoder().decode(File.self, from: data)
        #expect(file.schedules.count == 12)
        for expected in file.schedules {
            let schedule = try expected.schedule()
            for update in expected.factors.indices {
                let factor = expected.factors[update < expected.warmup ? update + 1 : update]
                #expect(
                    abs(schedule.rate(ofUpdate: update) - 3 * factor) < 1e-14,
                    "\(expected.shape), update \(update)")
            }
        }
    }

    @Test func aWarmupBeginsAboveZeroAndEndsAtTheRate() {
        let schedule = RateSchedule(.constant, rate: 1e-4, warmup: 4)
        for (update, expected) in [0.25e-4, 0.5e-4, 0.75e-4, 1e-4, 1e-4].enumerated() {
            #expect(abs(schedule.rate(ofUpdate: update) - expected) < 1e-19)
        }
    }

    /// Each process ticks once an update, and five ticks are at a third.
    @Test func diffsynthsRateIsAThirdForFiveTicks() {
        for (processes, updates) in [(1, 5), (2, 3), (4, 2), (5, 1), (8, 1)] {
            let schedule = RateSchedule(.diffsynth(processes: processes), rate: 1e-4)
            let low = (0..<9).prefix { schedule.rate(ofUpdate: $0) < 0.5e-4 }
            #expect(low.count == updates)
            #expect(abs(schedule.rate(ofUpdate: 8) - 1e-4) < 1e-19)
        }
    }
}
