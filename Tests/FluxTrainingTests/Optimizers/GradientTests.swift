import FluxTraining
import Testing
import Torch

extension OptimizerTests {
    @Suite("Gradients", .serialized)
    struct Gradients {
        @Test(arguments: ["f32", "bf16"])
        func areClippedAsPyTorchClipsThem(type: String) throws {
            let vectors = try OptimizerVectors("clipping")
            let parameters = try (0..<2).map { index in
                let gradient = try vectors.tensor("\(type).in.\(index)")
                let parameter = try TrainableParameter.leaf(
                    "\(index)", .zeros(gradient.shape, dtype: gradient.dtype))
                try parameter.setGradient(gradient)
                return parameter
            }
            let norm = try clipGradients(of: parameters, toNorm: vectors.number("limit"))
            // PyTorch rounds the norm to the gradients' type.
            let limit = type == "bf16" ? 8e-3 : 1e-6
            #expect(try abs(norm / vectors.tensor("\(type).norm").item() - 1) < limit)
            for (index, parameter) in parameters.enumerated() {
                let found = try #require(try parameter.tensor.gradient())
                #expect(try distance(found, vectors.tensor("\(type).out.\(index)")) < limit)
            }
        }

        private func parameter(_ name: String, _ gradient: [Float]) throws -> TrainableParameter {
            let parameter = try TrainableParameter.leaf(name, .zeros([gradient.count]))
            try parameter.setGradient(.from(gradient))
            return parameter
        }

        @Test func belowTheLimitStayAsTheyAre() throws {
            let parameters = try [parameter("a", [3]), parameter("b", [4])]
            #expect(try clipGradients(of: parameters, toNorm: 6) == 5)
            #expect(try parameters[1].tensor.gradient()?.item() == 4)
            #expect(try clipGradients(of: [], toNorm: 1) == 0)
        }

        @Test func thatAreNotFiniteAreFoundAndNeverScaled() throws {
            let good = try parameter("good", [1, 2])
            try GradientGuard.check([good])
            for value in [Float.infinity, .nan] {
                let bad = try parameter("proj_out.weight", [1, value])
                let norm = try clipGradients(of: [good, bad], toNorm: 0.1)
                #expect(!norm.isFinite)
                #expect(try good.tensor.gradient()?.values() == [Float(1), 2])
                let error = try #require(throws: OptimizerError.self) {
                    try GradientGuard.check([good, bad], norm: norm)
                }
                #expect(
                    error.description
                        == "the gradient of 'proj_out.weight' holds values that are not finite")
            }
        }

        @Test func tooLargeForANormAreFinite() throws {
            try GradientGuard.check([parameter("large", [3e38, 3e38])])
        }

        /// 16-bit gradients are looked at a piece at a time.
        @Test func ofManyValuesHaveOneNorm() throws {
            let gradient = try Tensor.full([600_000], 0.5, dtype: .bfloat16)
            let parameter = try TrainableParameter.leaf("w", .zeros([600_000], dtype: .bfloat16))
            try parameter.setGradient(gradient)
            let norm = try GradientGuard.norm(of: [parameter])
            #expect(abs(norm / (0.5 * 600_000.0.squareRoot()) - 1) < 1e-5)
        }
    }

    @Suite("Averages", .serialized)
    struct Averages {
        private func values(_ parameter: TrainableParameter) throws -> [Float] {
            try parameter.tensor.detached().values()
        }

        private func set(_ parameter: TrainableParameter, _ value: Double) throws {
            try withoutGradients {
                try parameter.tensor.assign(.full(parameter.tensor.shape, value))
            }
        }

        @Test(arguments: [false, true])
        func followTheirFormula(warmsUp: Bool) throws {
            let parameter = try TrainableParameter.leaf("w", .zeros([2], dtype: .bfloat16))
            let average = try ExponentialMovingAverage(
                of: [parameter], decay: 0.9, warmsUp: warmsUp)
            var expected = 0.0
            for update in 0..<100 {
                try set(parameter, Double(update))
                try average.update()
                let kept = warmsUp ? min(0.9, Double(1 + update) / Double(10 + update)) : 0.9
                expected = kept * expected + (1 - kept) * Double(update)
            }
            let found = try #require(try average.state()["w.ema"])
            #expect(found.dtype == .float32)
            #expect(try abs(found.values(as: Float.self)[0] - Float(expected)) < 1e-4)
        }

        @Test(arguments: [DType.float32, .bfloat16])
        func takeTheParametersPlaceAndGiveItBack(dtype: DType) throws {
            let generator = try Generator(seed: 3)
            let start = try Tensor.randn([50], generator: generator, dtype: dtype)
            let parameter = try TrainableParameter.leaf("w", start)
            let average = try ExponentialMovingAverage(of: [parameter], decay: 0.5)
            try set(parameter, 3)
            try average.update()
            let before = try #require(try average.state()["w.ema"]).copy()
            try average.withAverages {
                #expect(average.isSwappedIn)
                try expectIdentical(parameter.tensor, before.to(dtype: dtype), "the average")
            }
            #expect(!average.isSwappedIn)
            #expect(try values(parameter) == Array(repeating: 3, count: 50))
            try expectIdentical(#require(try average.state()["w.ema"]), before, "the same average")
        }

        @Test func goOnFromTheirState() throws {
            func run() throws -> (TrainableParameter, ExponentialMovingAverage) {
                let parameter = try TrainableParameter.leaf("w", .ones([3]))
                return (parameter, try ExponentialMovingAverage(of: [parameter], decay: 0.99))
            }
            let ((one, whole), (other, second)) = try (run(), run())
            try set(one, 2)
            for _ in 0..<3 { try whole.update() }
            try second.restore(whole.state().mapValues { try $0.copy() })
            try set(other, 2)
            try whole.update()
            try second.update()
            #expect(second.updates == 4)
            try expectIdentical(
                #require(try second.state()["w.ema"]), #require(try whole.state()["w.ema"]),
                "average")
            let error = try #require(throws: OptimizerError.self) { try second.restore([:]) }
            #expect(error.description.contains("'ema_updates'"))
        }
    }
}
