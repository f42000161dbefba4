import FluxTraining
import TestSupport
import Testing
import Torch

@Suite("optimizers of this package over ranks", .serialized, .enabled(if: ProcessGroup.isAvailable))
struct RealOptimizerTests {
    private static func make(_ dtype: DType) throws -> [TrainableParameter] {
        let generator = try Generator(seed: 5)
        return try (0..<5).map { index in
            let tensor = try Tensor.randn([64, 16 + index], generator: generator, dtype: dtype)
            try tensor.requireGradient()
            return TrainableParameter("blocks.\(index).weight", tensor)
        }
    }

    private static func step(
        _ parameters: [TrainableParameter], _ sample: Int, _ update: () throws -> Void
    ) throws {
        for parameter in parameters {
            let seed = UInt64(1000 * sample + parameter.tensor.size(1))
            let x = try Tensor.randn(
                parameter.tensor.shape, generator: Generator(seed: seed),
                dtype: parameter.tensor.dtype)
            try (parameter.tensor * x).mean().backward()
        }
        try update()
        for parameter in parameters { try parameter.tensor.clearGradient() }
    }

    @Test(arguments: [DType.float32, .bfloat16], ShardingStage.allCases)
    func areThoseOfPlainDataParallelism(dtype: DType, stage: ShardingStage) throws {
        let same = try withRanks(2) { group in
            let rules: [any UpdateRule] = [AdamW(), Adafactor(), Adam8bit()]
            return try rules.allSatisfy { rule in
                let plain = try Self.make(dtype)
                let optimizer = try ParameterOptimizer(rule, of: plain, masterWeights: .none)
                let parameters = try Self.make(dtype)
                let first = try ShardedOptimizer(parameters, group: group, stage: stage) {
                    try ParameterOptimizer(rule, of: $0, masterWeights: .none)
                }
                for sample in 0..<4 {
                    try Self.step(plain, 2 * sample + group.rank) {
                        try group.averageGradients(of: plain)
                        try optimizer.step(rate: 0.01)
                    }
                    try Self.step(parameters, 2 * sample + group.rank) {
                        try first.averageGradients()
                        try first.step(rate: 0.01)
                    }
                }
                let whole = try first.state()
                if group.isFirst {
                    let reference = try optimizer.state()
                    guard Set(whole.keys) == Set(reference.keys),
                        try whole.allSatisfy({ key, value in
                            try value.values(as: Float.self)
                                == reference[key]?.values(as: Float.self)
                        })
                    else { return false }
                }
                // Each rank takes its part of what one process would have written.
                try first.restore(optimizer.state())
                return try zip(plain, parameters).allSatisfy {
                    try $0.tensor.detached().values(as: Float.self)
                        == $1.tensor.detached().values(as: Float.self)
                } && 10 * first.stateByteCount < 7 * optimizer.stateByteCount
            }
        }
        #expect(same == [true, true])
    }

    @Test(arguments: ShardingStage.allCases)
    func clippingSeesAllGradients(stage: ShardingStage) throws {
        let same = try withRanks(2) { group in
            let plain = try Self.make(.float32)
            let parameters = try Self.make(.float32)
            let optimizer = try ShardedOptimizer(parameters, group: group, stage: stage) {
                try ParameterOptimizer(SGD(), of: $0)
            }
            var norms: [Double] = []
            try Self.step(plain, group.rank) {
                try group.averageGradients(of: plain)
                norms.append(try clipGradients(of: plain, toNorm: 0.01))
                try ParameterOptimizer(SGD(), of: plain).step(rate: 1)
            }
            try Self.step(parameters, group.rank) {
                try optimizer.averageGradients()
                norms.append(try optimizer.clipGradients(toNorm: 0.01))
                try optimizer.step(rate: 1)
            }
            let (a, b) = try (
                plain.flatMap { try $0.tensor.detached().values(as: Float.self) },
                parameters.flatMap { try $0.tensor.detached().values(as: Float.self) }
            )
            return norms[0] > 0.01 && abs(norms[0] - norms[1]) < 1e-6
                && zip(a, b).allSatisfy { abs($0 - $1) < 1e-6 }
        }
        #expect(same == [true, true])
    }
}
