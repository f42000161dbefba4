import FluxTraining
import Testing
import Torch

extension OptimizerTests {
    @Suite("Master weights", .serialized)
    struct Masters {
        private static let rules: [any UpdateRule & Sendable] = [
            AdamW(), Adam(weightDecay: 0.1), SGD(), SGD(momentum: 0.9), Adam8bit(), Adafactor(),
        ]

        /// How far 100 updates move weights, in the direction in which float32 moves them and as a
        /// share of that; gradients drift slowly.
        private func displacements(
            _ rule: any UpdateRule, _ masterWeights: [(DType, MasterWeights)], rate: Double
        ) throws -> [Double] {
            let generator = try Generator(seed: 6)
            let shape = [64, 96]
            let start = try (Tensor.randn(shape, generator: generator) * 0.02).to(dtype: .bfloat16)
            let drift = try Tensor.randn(shape, generator: generator)
            let runs = try masterWeights.map { dtype, masterWeights in
                let parameter = try TrainableParameter.leaf("w", start.to(dtype: dtype))
                let optimizer = try ParameterOptimizer(
                    rule, of: [parameter], masterWeights: masterWeights, seed: 5)
                return (parameter, optimizer)
            }
            for _ in 0..<100 {
                let noise = try Tensor.randn(shape, generator: generator)
                for (parameter, optimizer) in runs {
                    try parameter.setGradient(drift + noise * 0.5)
                    try optimizer.step(rate: rate)
                }
            }
            let moves = try runs.map { parameter, optimizer in
                // The master, where there is one: the weight is a rounded copy.
                let value = try optimizer.state()["w.master"] ?? parameter.tensor.detached()
                return try value.to(dtype: .float32) - start.to(dtype: .float32)
            }
            let total = try moves[0].square().sum().item()
            return try moves.map { try ($0 * moves[0]).sum().item() / total }
        }

        /// The measurement that master weights are there for: without them, most of the way is lost at
        /// a rate of 1e-5.
        @Test func keepSmallUpdates() throws {
            let found = try displacements(
                AdamW(),
                [
                    (.float32, .none), (.bfloat16, .none), (.bfloat16, .float32),
                    (.bfloat16, .stochastic), (.bfloat16, .kahan),
                ], rate: 1e-5)
            #expect(found[1] < 0.2)
            for share in found[2...] { #expect(abs(share - 1) < 0.05, "\(found)") }
        }

        @Test(arguments: 0..<rules.count)
        func workWithEveryOptimizer(rule: Int) throws {
            let rule = Self.rules[rule]
            let found = try displacements(
                rule,
                [
                    (.float32, .none), (.bfloat16, .float32), (.bfloat16, .stochastic),
                    (.bfloat16, .kahan),
                ], rate: rule is SGD ? 1e-6 : 1e-5)
            for share in found[1...] { #expect(abs(share - 1) < 0.1, "\(rule): \(found)") }
        }

        /// In bfloat16 a mean that keeps 999 of 1000 stands still where it is rounded to the
        /// nearest.
        @Test func theSecondMomentGoesOn() throws {
            for masterWeights in [MasterWeights.stochastic, .kahan] {
                let weight = try Tensor.ones([4096], dtype: .bfloat16)
                let parameter = try TrainableParameter.leaf("w", weight)
                let optimizer = try ParameterOptimizer(
                    AdamW(), of: [parameter], masterWeights: masterWeights)
                for _ in 0..<1000 {
                    try parameter.setGradient(weight)
                    try optimizer.step(rate: 1e-6)
                }
                let square = try #require(try optimizer.state()["w.exp_avg_sq"])
                let mean = try square.to(dtype: .float32).mean().item()
                #expect(abs(mean / (1 - 0.3677) - 1) < 0.01, "\(masterWeights): \(mean)")
            }
        }

        @Test func areNothingForTypesThatNeedNone() throws {
            for masterWeights in MasterWeights.allCases {
                let parameter = try TrainableParameter.leaf("w", .ones([8]))
                let optimizer = try ParameterOptimizer(
                    AdamW(), of: [parameter], masterWeights: masterWeights)
                #expect(optimizer.stateByteCount == 64)
                #expect(
                    try optimizer.state().keys.sorted() == ["w.exp_avg", "w.exp_avg_sq", "w.step"])
            }
        }

        @Test func takeTheMemoryThatTheyAreSaidTo() throws {
            let bytes: [MasterWeights: Int] = [.none: 4, .float32: 12, .stochastic: 4, .kahan: 6]
            for (masterWeights, expected) in bytes {
                let parameter = try TrainableParameter.leaf("w", .ones([100], dtype: .bfloat16))
                let optimizer = try ParameterOptimizer(
                    AdamW(), of: [parameter], masterWeights: masterWeights)
                #expect(optimizer.stateByteCount == 100 * expected)
            }
        }

        @Test func aWeightIsItsMasterRounded() throws {
            let parameter = try TrainableParameter.leaf("w", .ones([50], dtype: .bfloat16))
            let optimizer = try ParameterOptimizer(
                AdamW(), of: [parameter], masterWeights: .float32)
            for _ in 0..<3 {
                try parameter.setGradient(.arange(to: 50))
                try optimizer.step(rate: 1e-3)
            }
            let master = try #require(try optimizer.state()["w.master"])
            try expectIdentical(parameter.tensor, master.to(dtype: .bfloat16), "rounded")
        }
    }

    @Suite("Stochastic rounding", .serialized)
    struct StochasticRounding {
        @Test func givesNeighborsWhoseMeanIsExact() throws {
            let value = Float(1 + 3.0 / 1024)  // three eighths of the way from 1 to 1 + 2^-7
            let values = try Tensor.full([100_000], Double(value))
            let rounded = try Tensor.empty([100_000], dtype: .bfloat16)
            try values.roundStochastically(into: rounded, seed: 1)
            let found = try rounded.values(as: Float.self)
            #expect(Set(found) == [1, 1 + 1.0 / 128])
            let up = Double(found.count { $0 > 1 }) / Double(found.count)
            #expect(abs(up - 0.375) < 0.006)
        }

        @Test func leavesWhatNeedsNoRoundingAndWhatIsNoNumber() throws {
            let values: [Float] = [
                0, -0.0, 1, -2.5, .infinity, -.infinity, .leastNormalMagnitude / 2,
            ]
            let exact = try Tensor.from(values).to(dtype: .bfloat16).to(dtype: .float32)
            let rounded = try Tensor.empty([values.count], dtype: .bfloat16)
            try exact.roundStochastically(into: rounded, seed: 3)
            try expectIdentical(rounded.to(dtype: .float32), exact, "exact")
            let nan = try Tensor.from([Float(bitPattern: 0x7F80_0001), .nan])
            let found = try Tensor.empty([2], dtype: .bfloat16)
            try nan.roundStochastically(into: found, seed: 3)
            #expect(try found.values(as: Float.self).allSatisfy(\.isNaN))
        }

        @Test func followsFromTheSeedOnEveryDevice() throws {
            let values = try Tensor.randn([70_001], generator: Generator(seed: 9))
            let rounded = try ([1, 1, 2] as [UInt64]).map { seed in
                let rounded = try Tensor.empty([70_001], dtype: .bfloat16)
                try values.roundStochastically(into: rounded, seed: seed)
                return rounded
            }
            try expectIdentical(rounded[0], rounded[1], "the same seed")
            #expect(try !rounded[0].isEqual(to: rounded[2]))
            let byOperations = try Tensor.empty([70_001], dtype: .bfloat16)
            try values.roundStochasticallyByOperations(into: byOperations, seed: 1)
            try expectIdentical(byOperations, rounded[0], "by operations")
        }
    }
}
