import FluxTraining
import TestSupport
import Testing
import Torch

@Suite(
    "optimizers spread over ranks", .serialized, .enabled(if: ProcessGroup.isAvailable))
struct ShardedOptimizerTests {
    /// A small network's parameters, the same in every process.
    private static func makeParameters(_ dtype: DType = .float32) throws -> [TrainableParameter] {
        let generator = try Generator(seed: 5)
        let shapes = ["a.weight": [16, 8], "b.a.weight": [8, 16], "a.bias": [16], "b.bias": [8]]
        return try shapes.keys.sorted().map { name in
            let tensor = try Tensor.randn(
                shapes[name, default: []], generator: generator, dtype: dtype)
            try tensor.requireGradient()
            return TrainableParameter(name, tensor)
        }
    }

    /// The loss of one sample.
    private static func backward(
        _ parameters: [TrainableParameter], sample: Int, weight: Double
    ) throws {
        let named = Dictionary(uniqueKeysWithValues: parameters.map { ($0.name, $0.tensor) })
        guard let a = named["a.weight"], let b = named["b.a.weight"], let c = named["a.bias"],
            let d = named["b.bias"]
        else { return }
        let x = try Tensor.randn([4, 8], generator: Generator(seed: UInt64(100 + sample)))
            .to(dtype: a.dtype)
        let hidden = try (x.matmul(a.transposed(0, 1)) + c).square()
        let y = try hidden.matmul(b.transposed(0, 1)) + d
        try ((y * y).mean() * weight).backward()
    }

    private static func clear(_ parameters: [TrainableParameter]) throws {
        for parameter in parameters { try parameter.tensor.clearGradient() }
    }

    private static func values(_ parameters: [TrainableParameter]) throws -> [[Float]] {
        try parameters.map { try $0.tensor.detached().values() }
    }

    /// Steps of one process that accumulates over what two ranks have.
    private static func alone(steps: Int, ranks: Int) throws -> (values: [[Float]], bytes: Int) {
        let parameters = try makeParameters()
        let optimizer = Momentum(parameters)
        for step in 0..<steps {
            for rank in 0..<ranks {
                try backward(parameters, sample: step * ranks + rank, weight: 1 / Double(ranks))
            }
            try optimizer.step(rate: 0.001)
            try clear(parameters)
        }
        return try (values(parameters), optimizer.stateByteCount)
    }

    private static func run(
        _ group: ProcessGroup, _ optimizer: ShardedOptimizer, _ steps: Range<Int>
    ) throws {
        for step in steps {
            try backward(
                optimizer.parameters, sample: step * group.size + group.rank, weight: 1)
            try optimizer.averageGradients()
            try optimizer.step(rate: 0.001)
            try clear(optimizer.parameters)
        }
    }

    private struct Outcome: Sendable {
        var values: [[Float]]
        var bytes: Int
    }

    @Test(arguments: [(2, ShardingStage.states), (2, .gradients), (3, .states), (3, .gradients)])
    func areAsGoodAsOne(size: Int, stage: ShardingStage) throws {
        let outcomes = try withRanks(size) { group in
            let parameters = try Self.makeParameters()
            let optimizer = ShardedOptimizer(parameters, group: group, stage: stage) {
                Momentum($0)
            }
            try Self.run(group, optimizer, 0..<4)
            return Outcome(values: try Self.values(parameters), bytes: optimizer.stateByteCount)
        }
        let alone = try Self.alone(steps: 4, ranks: size)
        for outcome in outcomes {
            #expect(outcome.values == outcomes[0].values)
            for (mine, theirs) in zip(outcome.values, alone.values) {
                for (a, b) in zip(mine, theirs) { #expect(abs(a - b) < 1e-6 * max(1, abs(b))) }
            }
        }
        #expect(outcomes.reduce(0) { $0 + $1.bytes } == alone.bytes)
        if size == 2 {
            // The two matrices are alike, so the halves differ by a vector at most.
            for outcome in outcomes { #expect(abs(2 * outcome.bytes - alone.bytes) <= 2 * 64) }
        }
    }

    /// Sharding changes nothing at all, compared with plain data parallelism.
    @Test(arguments: [DType.float32, .bfloat16], ShardingStage.allCases)
    func areThoseOfPlainDataParallelism(dtype: DType, stage: ShardingStage) throws {
        let same = try withRanks(2) { group in
            let plain = try Self.makeParameters(dtype)
            let optimizer = Momentum(plain)
            let parameters = try Self.makeParameters(dtype)
            let sharded = ShardedOptimizer(parameters, group: group, stage: stage) {
                Momentum($0)
            }
            for step in 0..<3 {
                try Self.backward(plain, sample: 2 * step + group.rank, weight: 1)
                try group.averageGradients(of: plain)
                try optimizer.step(rate: 0.001)
                try Self.clear(plain)
            }
            try Self.run(group, sharded, 0..<3)
            return try Self.values(plain) == Self.values(parameters)
        }
        #expect(same == [true, true])
    }

    @Test func gradientsOfOthersAreForgotten() throws {
        let owned = try withRanks(2) { group in
            let parameters = try Self.makeParameters()
            let optimizer = ShardedOptimizer(parameters, group: group, stage: .gradients) {
                Momentum($0)
            }
            try Self.backward(parameters, sample: group.rank, weight: 1)
            try optimizer.averageGradients()
            let left = try parameters.filter { try $0.tensor.gradient() != nil }.map(\.name)
            #expect(left == optimizer.owned.map(\.name))
            return left
        }
        #expect(Set(owned.joined()).count == 4 && owned.joined().count == 4)
    }

    /// A state of two ranks is that of one, and goes on on three.
    @Test func stateIsThatOfOneProcessAndResumesOnAnyNumber() throws {
        _ = try withRanks(2) { group in
            let parameters = try Self.makeParameters()
            let optimizer = ShardedOptimizer(parameters, group: group, stage: .gradients) {
                Momentum($0)
            }
            try Self.run(group, optimizer, 0..<2)
            let state = try optimizer.state()
            if group.isFirst {
                #expect(
                    Set(state.keys)
                        == Set(parameters.map { $0.name + ".velocity" } + ["step"]))
            } else {
                #expect(state.isEmpty)
            }
            try Self.resume(group, parameters, state)
        }
    }

    /// Has three ranks go on, and one process, and compares them.
    private static func resume(
        _ group: ProcessGroup, _ parameters: [TrainableParameter], _ state: [String: Tensor]
    ) throws {
        guard group.isFirst else { return }
        let saved = try (values(parameters), state.mapValues { try $0.values(as: Float.self) })
        let shapes = state.mapValues(\.shape)
        let outcomes = try withRanks(3) { group in
            let (parameters, whole) = try load(saved.0, saved.1, shapes)
            let optimizer = ShardedOptimizer(parameters, group: group, stage: .states) {
                Momentum($0)
            }
            try optimizer.restore(whole)
            // All ranks take the same sample, so that the mean is the one of one process.
            try backward(parameters, sample: 9, weight: 1)
            try optimizer.averageGradients()
            try optimizer.step(rate: 0.001)
            return try values(parameters)
        }
        let (alone, whole) = try load(saved.0, saved.1, shapes)
        let optimizer = Momentum(alone)
        try optimizer.restore(whole)
        try backward(alone, sample: 9, weight: 1)
        try optimizer.step(rate: 0.001)
        for outcome in outcomes {
            for (mine, theirs) in zip(outcome.joined(), try values(alone).joined()) {
                #expect(abs(mine - theirs) < 1e-6 * max(1, abs(theirs)))
            }
        }
    }

    private static func load(
        _ values: [[Float]], _ state: [String: [Float]], _ shapes: [String: [Int]]
    ) throws -> ([TrainableParameter], [String: Tensor]) {
        let parameters = try makeParameters()
        try withoutGradients {
            for (parameter, values) in zip(parameters, values) {
                try parameter.tensor.assign(
                    Tensor.from(values, shape: parameter.tensor.shape))
            }
        }
        var whole: [String: Tensor] = [:]
        for (key, values) in state { whole[key] = try Tensor.from(values, shape: shapes[key]) }
        return (parameters, whole)
    }

    @Test func aGradientThatSomeRanksLackIsNamed() throws {
        #expect {
            _ = try withRanks(2) { group in
                let parameters = try Self.makeParameters()
                if group.rank == 0 {
                    try Self.backward(parameters, sample: 0, weight: 1)
                } else {
                    try parameters[0].tensor.sum().backward()
                }
                try group.averageGradients(of: parameters)
            }
        } throws: { "\($0)".contains("'a.weight' has a gradient on 1 of 2 ranks") }
    }
}
