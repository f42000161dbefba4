internal import Foundation
internal import Torch

/// Small computations whose results are known, to tell a sound engine from a broken one.
public struct SelfTest: Hashable, Sendable {
    /// What was computed, in words.
    public var name: String
    /// What was found wrong; nil when nothing was.
    public var failure: String?

    /// Runs all of them on the CPU.
    public static func runAll() -> [SelfTest] {
        withoutGradients {
            [
                run("random numbers equal PyTorch's", randomNumbers),
                run("matrix products in bfloat16", matrixProducts),
                run("attention with rows that see nothing", blindAttention),
                run("8-bit floats", eightBitFloats),
                run("kernels of this program against libtorch's", kernels),
                run("products with 8-bit weights", integers),
            ]
        }
    }

    private static func run(_ name: String, _ body: () throws -> String?) -> SelfTest {
        do {
            return SelfTest(name: name, failure: try body())
        } catch {
            return SelfTest(name: name, failure: "\(error)")
        }
    }

    /// The first numbers of seed 0; other processors may draw others, and then give other images
    /// for the same seed.
    private static func randomNumbers() throws -> String? {
        let drawn: [Float] = try Tensor.randn([128], generator: Generator(seed: 0)).values()
        let expected: [Float] = [-1.12583983, -1.15236020, -0.25057858, -0.43387881]
        return Array(drawn.prefix(4)) == expected ? nil : "drew \(drawn.prefix(4))"
    }

    private static func matrixProducts() throws -> String? {
        let generator = try Generator(seed: 1)
        let (a, b) = try (
            Tensor.randn([64, 256], generator: generator, dtype: .bfloat16),
            Tensor.randn([32, 256], generator: generator, dtype: .bfloat16)
        )
        let exact = try a.to(dtype: .float64).matmul(b.to(dtype: .float64).transposed(0, 1))
        let found = try linear(a, b).to(dtype: .float64)
        let error = try (found - exact).abs().maximum().item() / exact.abs().maximum().item()
        return error < 0.01 ? nil : "off by \(error)"
    }

    private static func blindAttention() throws -> String? {
        let x = try Tensor.ones([1, 1, 2, 16])
        let mask = try Tensor.from([false, false, true, true], shape: [1, 1, 2, 2])
        let rows: [Float] = try attention(x, x, x, mask: mask).sum(along: [3]).values()
        return rows == [0, 16] ? nil : "gave \(rows)"
    }

    private static func eightBitFloats() throws -> String? {
        let found: [Float] = try Tensor.from([Float(0.3), -448])
            .to(dtype: .float8e4m3fn).to(dtype: .bfloat16).values()
        return found == [0.3125, -448] ? nil : "gave \(found)"
    }

    /// Whatever multiplies: integers that both sides are rounded to, or numbers.
    private static func integers() throws -> String? {
        let generator = try Generator(seed: 3)
        let (x, weight) = try (
            Tensor.randn([9, 768], generator: generator, dtype: .bfloat16),
            Tensor.randn([100, 768], generator: generator, dtype: .bfloat16)
        )
        let exact = try linear(x.to(dtype: .float32), weight.to(dtype: .float32))
        let layer = Linear(Scope(), from: 768, to: 100)
        try layer.weight.load(.quantized(.quantizing(weight, as: .int8Rotated)))
        let found = try layer(x).to(dtype: .float32)
        let error = try (found - exact).square().sum().item() / exact.square().sum().item()
        return error < 4e-4 ? nil : "off by \(error.squareRoot())"
    }

    /// Whatever kernels are used, in the order that a block of a transformer uses them.
    private static func kernels() throws -> String? {
        let generator = try Generator(seed: 2)
        let x = try Tensor.randn([1, 100, 256], generator: generator)
        let part = try Tensor.randn([1, 1, 256], generator: generator)
        func block(_ dtype: DType) throws -> Tensor {
            let (x, part) = try (x.to(dtype: dtype), part.to(dtype: dtype))
            let heads = try modulated(x, shift: part, scale: part, epsilon: 1e-6)
                .reshaped([1, 100, 2, 128]).transposed(1, 2)
            let mixed = try attention(heads, heads, heads).transposed(1, 2).reshaped(x.shape)
            return try adding(gated(mixed, x), gatedBy: part, to: x).to(dtype: .float32)
        }
        let (found, exact) = try (block(.bfloat16), block(.float32))
        let error = try (found - exact).square().sum().item() / exact.square().sum().item()
        return error < 1e-4 ? nil : "off by \(error.squareRoot())"
    }
}
