import FluxTraining
import Testing
import Torch

extension OptimizerTests {
    @Suite("State", .serialized)
    struct State {
        private struct Run {
            let parameters: [TrainableParameter]
            let optimizer: ParameterOptimizer

            init(_ rule: any UpdateRule, _ masterWeights: MasterWeights, seed: UInt64) throws {
                let generator = try Generator(seed: 4)
                parameters = try [("large", [70, 64]), ("small", [33])].map { name, shape in
                    try .leaf(name, .randn(shape, generator: generator, dtype: .bfloat16))
                }
                optimizer = try ParameterOptimizer(
                    rule, of: parameters, masterWeights: masterWeights, seed: seed)
            }

            func advance(_ updates: Range<Int>) throws {
                for update in updates {
                    let generator = try Generator(seed: UInt64(update))
                    for parameter in parameters {
                        try parameter.setGradient(
                            .randn(parameter.tensor.shape, generator: generator))
                    }
                    try optimizer.step(rate: 1e-3)
                }
            }
        }

        @Test(arguments: OptimizerKind.allCases, MasterWeights.allCases)
        func goesOnBitForBit(kind: OptimizerKind, masterWeights: MasterWeights) throws {
            let rule: any UpdateRule =
                kind == .sgd ? SGD(momentum: 0.9) : kind.rule(weightDecay: 0.1)
            let whole = try Run(rule, masterWeights, seed: 1)
            try whole.advance(0..<5)
            let first = try Run(rule, masterWeights, seed: 1)
            try first.advance(0..<2)
            let state = try first.optimizer.state().mapValues { try $0.copy() }
            let second = try Run(rule, masterWeights, seed: 99)
            try second.optimizer.restore(state)
            for (mine, theirs) in zip(second.parameters, first.parameters) {
                try withoutGradients { try mine.tensor.assign(theirs.tensor) }
            }
            try second.advance(2..<5)
            for (mine, theirs) in zip(second.parameters, whole.parameters) {
                try expectIdentical(mine.tensor, theirs.tensor, "\(kind) \(masterWeights)")
            }
            let expected = try whole.optimizer.state()
            for (key, tensor) in try second.optimizer.state() {
                try expectIdentical(tensor, #require(expected[key]), key)
            }
        }

        @Test func ofAnotherRunIsRefusedByName() throws {
            let run = try Run(AdamW(), .kahan, seed: 1)
            try run.advance(0..<1)
            let good = try run.optimizer.state().mapValues { try $0.copy() }
            func failure(_ change: (inout [String: Tensor]) throws -> Void) throws -> String {
                var state = good
                try change(&state)
                let error = try #require(throws: OptimizerError.self) {
                    try run.optimizer.restore(state)
                }
                return error.description
            }
            #expect(
                try failure { $0["small.exp_avg"] = nil }
                    == "optimizer state: no 'small.exp_avg'; is it that of another run?")
            #expect(
                try failure { $0["other.exp_avg"] = try .ones([1]) }
                    == "optimizer state: no use for 'other.exp_avg'; is it that of another run?")
            #expect(
                try failure { $0["small.exp_avg"] = try .ones([32], dtype: .bfloat16) }
                    == "optimizer state: 'small.exp_avg' has shape [32], expected [33]")
            #expect(
                try failure { $0["small.compensation"] = try .ones([33]) }
                    == "optimizer state: 'small.compensation' has elements of type float32, "
                    + "expected bfloat16")
            for (key, tensor) in try run.optimizer.state() {
                try expectIdentical(tensor, #require(good[key]), key)
            }
        }

        @Test func ofParametersWithOneNameIsRefused() throws {
            let parameters = try (0..<2).map { _ in try TrainableParameter.leaf("w", .ones([1])) }
            let error = try #require(throws: OptimizerError.self) {
                try ParameterOptimizer(AdamW(), of: parameters)
            }
            #expect(error.description == "two parameters are named 'w'")
        }

        @Test func anOptimizerIsFoundByItsNames() throws {
            for kind in OptimizerKind.allCases {
                for name in [kind.rawValue] + kind.importPaths {
                    #expect(try OptimizerKind(name: name) == kind)
                }
            }
            let error = try #require(throws: OptimizerError.self) {
                try OptimizerKind(name: "torch.optim.Lion")
            }
            #expect(
                error.description.hasPrefix("no optimizer 'torch.optim.Lion'; known are adamw, "))
            #expect(error.description.contains("transformers.optimization.Adafactor"))
        }

        @Test func aSecondMomentInTwoVectorsAndMomentsInBytesAreSmall() throws {
            func bytes(_ kind: OptimizerKind) throws -> Int {
                let parameter = try TrainableParameter.leaf("w", .zeros([512, 256]))
                return try kind.optimizer(of: [parameter], weightDecay: 0).stateByteCount
            }
            let count = 512 * 256
            #expect(try bytes(.adamw) == 8 * count)
            #expect(try bytes(.adam8bit) == 2 * count + 8 * count / 256)
            #expect(try bytes(.adafactor) == 4 * (512 + 256))
            #expect(try bytes(.sgd) == 0)
        }
    }
}
