import FluxTraining
import TestSupport
import Testing
import Torch

extension OptimizerTests {
    @Suite("Updates are those of the libraries they are from", .serialized)
    struct Updates {
        /// Updates as often as the vectors do, then compares all that they hold.
        private func compare(
            _ name: String, _ rule: any UpdateRule,
            with compare: (Tensor, Tensor, String) throws -> Void = {
                try expectReproduced($0, $1, $2)
            }
        ) throws {
            let vectors = try OptimizerVectors(name)
            let weights = try #require(vectors.settings["weights"] as? [String])
            let parameters = try vectors.parameters(weights)
            let optimizer = try ParameterOptimizer(rule, of: parameters)
            for update in 0..<Int(try vectors.number("steps")) {
                try vectors.setGradients(parameters, update: update)
                try optimizer.step(rate: vectors.number("rate"))
            }
            var found = try optimizer.state()
            for parameter in parameters { found[parameter.name] = parameter.tensor }
            let expected = vectors.names(after: "out.")
            #expect(!expected.isEmpty)
            for key in expected {
                let value = try #require(found[key], "\(name) has no \(key)")
                try compare(value, vectors.tensor("out.\(key)"), "\(name): \(key)")
            }
        }

        @Test(arguments: ["f32", "bf16"])
        func ofTheTrainingGolden(type: String) throws {
            let golden = try OptimizerVectors(
                "adamw_\(type)", in: Reference.path("goldens/optimizer"))
            let parameters = try golden.parameters(["matrix", "vector"])
            let optimizer = try ParameterOptimizer(AdamW(), of: parameters)
            let schedule = RateSchedule(
                .diffsynth(processes: 1), rate: try golden.number("learning_rate"))
            let rates = try golden.tensor("out.rates").values(as: Double.self)
            for (update, rate) in rates.enumerated() {
                #expect(schedule.rate(ofUpdate: update) == rate)
                try golden.setGradients(parameters, update: update)
                try optimizer.step(rate: rate)
                for parameter in parameters {
                    try expectReproduced(
                        parameter.tensor, golden.tensor("out.\(parameter.name).after\(update)"),
                        "\(parameter.name) after update \(update)")
                }
            }
            for (key, tensor) in try optimizer.state() where !key.hasSuffix("step") {
                try expectReproduced(tensor, golden.tensor("out.\(key)"), key)
            }
        }

        @Test(arguments: ["f32", "bf16"])
        func ofPyTorch(type: String) throws {
            try compare(
                "adamw_\(type)", AdamW(betas: (0.8, 0.95), epsilon: 1e-6, weightDecay: 0.3))
            try compare("adam_\(type)", Adam(weightDecay: 0.2))
            try compare("sgd_\(type)", SGD(weightDecay: 0.2))
            try compare(
                "sgd_momentum_\(type)", SGD(momentum: 0.9, dampening: 0.1, weightDecay: 0.1))
            try compare("sgd_nesterov_\(type)", SGD(momentum: 0.8, nesterov: true))
        }

        /// The iteration is done in 16 bits, in another order of additions than PyTorch's.
        @Test(arguments: ["f32", "bf16"])
        func ofPyTorchForMatricesInBlocks(type: String) throws {
            try compare("muon_\(type)", Muon(weightDecay: 0.3)) { found, expected, what in
                let difference = try (found - expected).square().mean().sqrt().item()
                let size = try expected.square().mean().sqrt().item()
                #expect(difference < 0.015 * size, "\(what): \(difference) of \(size)")
            }
        }

        @Test func muonLeavesWhatIsNoMatrixInABlockToAdamW() throws {
            let names = ["blocks.0.w", "blocks.0.norm", "proj_out.w", "embed_tokens.weight"]
            func changed(_ rule: any UpdateRule) throws -> [Tensor] {
                let parameters = try names.map { name in
                    try TrainableParameter.leaf(
                        name, .ones(name.hasSuffix("norm") ? [24] : [24, 16]))
                }
                let optimizer = try ParameterOptimizer(rule, of: parameters)
                for parameter in parameters {
                    try parameter.setGradient(
                        .randn(parameter.tensor.shape, generator: Generator(seed: 4)))
                }
                try optimizer.step(rate: 0.01)
                return parameters.map(\.tensor)
            }
            let (muon, adamw) = try (
                changed(Muon(weightDecay: 0.1)), changed(AdamW(weightDecay: 0.1))
            )
            #expect(try !muon[0].isEqual(to: adamw[0]))
            for place in 1..<4 { #expect(try muon[place].isEqual(to: adamw[place])) }
        }

        @Test(arguments: ["f32", "bf16"])
        func ofTransformers(type: String) throws {
            try compare("adafactor_\(type)", Adafactor(weightDecay: 0.1))
        }

        /// A moment next to the middle between two values may go to the other one.
        @Test(arguments: ["f32", "bf16"])
        func ofBitsandbytes(type: String) throws {
            try compare("adam8bit_\(type)", Adam8bit(weightDecay: 0.1)) { found, expected, what in
                #expect(found.dtype == expected.dtype && found.shape == expected.shape)
                if expected.dtype == .uint8 {
                    let off = try (found.to(dtype: .int32) - expected.to(dtype: .int32)).abs()
                    #expect(try off.maximum().item() <= 1, "\(what)")
                    #expect(try off.sum().item() <= Double(found.count) * 1e-3, "\(what)")
                } else {
                    let off = try distance(found, expected)
                    #expect(off <= (expected.dtype == .bfloat16 ? 1e-4 : 2e-6), "\(what): \(off)")
                }
            }
        }

        @Test func theValuesOfEightBitsAreThoseOfBitsandbytes() throws {
            let vectors = try OptimizerVectors("maps")
            for (signed, name) in [(true, "signed"), (false, "unsigned")] {
                try expectIdentical(
                    WeightUpdate.dynamicMap(signed: signed), vectors.tensor(name), name)
            }
        }

        @Test(arguments: [DType.float32, .bfloat16])
        func eightBitsByOperationsAreTheSame(dtype: DType) throws {
            let generator = try Generator(seed: 8)
            let count = 300_001
            let weight = try Tensor.randn([count], generator: generator).to(dtype: dtype)
            func moments() throws -> [Tensor] {
                let blocks = (count + 255) / 256
                return try [
                    .zeros([count], dtype: .uint8), .zeros([count], dtype: .uint8),
                    .zeros([blocks]), .zeros([blocks]),
                ]
            }
            let (a, b) = try (weight.copy(), weight.copy())
            let (forKernel, forOperations) = try (moments(), moments())
            for step in 1...3 {
                let gradient = try Tensor.randn([count], generator: generator).to(dtype: dtype)
                for (tensor, state, byOperations) in [
                    (a, forKernel, false), (b, forOperations, true),
                ] {
                    try WeightUpdate(tensor, gradient: gradient, rate: 1e-2, step: step)
                        .adam8bit(AdamSettings(), state, byOperations: byOperations)
                }
            }
            #expect(try distance(a, b) < (dtype == .bfloat16 ? 1e-4 : 1e-6))
            for (one, other) in zip(forKernel, forOperations) where one.dtype == .uint8 {
                let off = try (one.to(dtype: .int32) - other.to(dtype: .int32)).abs()
                #expect(try off.sum().item() < Double(count) * 1e-3)
            }
        }

        /// Weights are updated piece by piece, which must not show.
        @Test func aLargeWeightIsUpdatedAsItsPartsAre() throws {
            let generator = try Generator(seed: 2)
            let (rows, width) = (3, 200_003)
            let values = try Tensor.randn([rows, width], generator: generator, dtype: .bfloat16)
            let gradient = try Tensor.randn([rows, width], generator: generator, dtype: .bfloat16)
            let whole = try TrainableParameter.leaf("whole", values)
            let parts = try (0..<rows).map {
                try TrainableParameter.leaf("\($0)", values.selecting($0, along: 0))
            }
            let optimizers = try [[whole], parts].map { try ParameterOptimizer(Adam(), of: $0) }
            for _ in 0..<2 {
                try whole.setGradient(gradient)
                for (row, part) in parts.enumerated() {
                    try part.setGradient(gradient.selecting(row, along: 0))
                }
                for optimizer in optimizers { try optimizer.step(rate: 1e-2) }
            }
            let joined = try Tensor.stacking(parts.map(\.tensor), along: 0)
            try expectIdentical(whole.tensor, joined, "in pieces")
        }

        @Test func parametersWithoutGradientsStay() throws {
            let parameters = try ["a", "b"].map { try TrainableParameter.leaf($0, .ones([3])) }
            let optimizer = try ParameterOptimizer(AdamW(), of: parameters)
            try parameters[0].setGradient(.ones([3]))
            try optimizer.step(rate: 0.1)
            #expect(try parameters[1].tensor.values() == [Float(1), 1, 1])
            #expect(try parameters[0].tensor.values(as: Float.self)[0] < 1)
            let state = try optimizer.state()
            #expect(try state["a.step"]?.item() == 1)
            #expect(try state["b.step"]?.item() == 0)
            try optimizer.zeroGradients()
            #expect(try parameters[0].tensor.gradient() == nil)
        }
    }
}
