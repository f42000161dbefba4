import TestSupport
import Testing

@testable import Torch

/// The norm of the difference over the norm of exact values.
private func error(_ found: Tensor, _ exact: Tensor) throws -> Double {
    let difference = try (found.to(dtype: .float64) - exact).square().sum().item()
    return try (difference / max(exact.square().sum().item(), 1e-300)).squareRoot()
}

/// What a kernel gives is close to exact values, and no farther from them than libtorch's results.
func expectKernel(
    _ kernel: Kernel, within limit: Double = 3e-3, exact: Tensor, _ name: String = "",
    _ compute: () throws -> Tensor
) throws {
    let own = try error(compute(), exact)
    let plain = try KernelSet.limited(to: .reference) { try error(compute(), exact) }
    #expect(own <= limit, "\(kernel.rawValue) \(name): \(own)")
    #expect(own <= 1.1 * plain, "\(kernel.rawValue) \(name): \(own), libtorch \(plain)")
}

func randomNumbers(_ shape: [Int], seed: UInt64, scale: Double = 1) throws -> Tensor {
    try (Tensor.randn(shape, generator: Generator(seed: seed)) * scale).to(dtype: .bfloat16)
}

func exactly(_ x: Tensor) throws -> Tensor { try x.to(dtype: .float64) }

@Suite(
    "Row kernels are closer to exact results than libtorch",
    .enabled(if: KernelSet.current > .reference, "FLUX2_KERNELS=reference"))
struct KernelTests {
    /// Widths with and without a part of a vector left over, rows one and many.
    static let shapes = [
        [1, 1, 16], [2, 5, 48], [1, 37, 3072], [3, 1, 128], [2, 7, 272], [1, 3, 50], [2, 0, 64],
    ]

    @Test(arguments: shapes)
    func modulation(_ shape: [Int]) throws {
        let (b, width) = (shape[0], shape[2])
        let x = try randomNumbers(shape, seed: 1, scale: 3) + 0.5
        let all = try randomNumbers([b, 1, 3 * width], seed: 2)
        let parts = try all.chunks(3, along: -1)
        let exact =
            try (1 + exactly(parts[1])) * layerNorm(exactly(x), epsilon: 1e-6)
            + exactly(parts[0])
        // Where vectors are not whole libtorch computes, with more roundings.
        let limit = width % 16 == 0 ? 3e-3 : 6e-3
        try expectKernel(.modulation, within: limit, exact: exact) {
            try modulated(x, shift: parts[0], scale: parts[1], epsilon: 1e-6)
        }
    }

    @Test(arguments: shapes)
    func gates(_ shape: [Int]) throws {
        let both = try randomNumbers([shape[0], shape[1], 2 * shape[2]], seed: 3, scale: 4)
        let (gate, up) = try both.halves(along: -1)
        try expectKernel(.gate, exact: silu(exactly(gate)) * exactly(up)) { try gated(gate, up) }
    }

    @Test(arguments: shapes)
    func residuals(_ shape: [Int]) throws {
        let x = try randomNumbers([shape[0], shape[1] + 3, shape[2]], seed: 4)
            .slice(3..<shape[1] + 3, along: 1)
        let y = try randomNumbers(shape, seed: 5)
        let gate = try randomNumbers([shape[0], 1, shape[2]], seed: 6)
        let exact = try exactly(x) + exactly(gate) * exactly(y)
        try expectKernel(.residual, exact: exact) { try adding(y, gatedBy: gate, to: x) }
    }

    @Test(arguments: shapes)
    func norms(_ shape: [Int]) throws {
        let x = try randomNumbers(shape, seed: 7, scale: 0.1)
        let weight = try randomNumbers([shape[2]], seed: 8)
        let mean = try exactly(x).square().mean(along: [-1], keepingAxes: true) + 1e-6
        let exact = try exactly(x) / mean.sqrt() * exactly(weight)
        try expectKernel(.norm, exact: exact) { try rmsNorm(x, weight: weight, epsilon: 1e-6) }
        try expectKernel(.norm, exact: exact) {
            try roundedRMSNorm(x, weight: weight, epsilon: 1e-6)
        }
    }

    /// Streams whose heads are parts of wider rows, as one projection gives them.
    @Test(arguments: [[1, 9, 3, 128], [2, 1, 2, 32], [1, 4, 1, 64], [1, 3, 2, 24]])
    func rotationOfPairs(_ shape: [Int]) throws {
        let (b, count, heads, size) = (shape[0], shape[1], shape[2], shape[3])
        let positions = try Tensor.from((0..<Int64(2 * count)).map { $0 }, shape: [2 * count, 1])
        let table = try RotaryTable(positions: positions, axes: [size], theta: 2000)
        let norm = RMSNorm(Scope(), width: size, epsilon: 1e-6)
        try norm.weight.load(randomNumbers([size], seed: 9))
        let streams = try (0..<2).map { stream in
            try randomNumbers([b, count, 3 * heads * size], seed: 10 + UInt64(stream))
                .slice(heads * size..<2 * heads * size, along: -1).reshaped(shape)
        }
        let joined = try Tensor.concatenating(streams, along: 1).to(dtype: .float64)
        let mean = try joined.square().mean(along: [-1], keepingAxes: true) + 1e-6
        let normed = try joined / mean.sqrt() * exactly(norm.weight.value(like: streams[0]))
        try expectKernel(.rotation, exact: turned(normed, table)) {
            try table(streams.map { try PreRotaryHeads($0, norm) })
        }
        try expectKernel(.rotation, exact: turned(joined, table)) {
            try table(Tensor.concatenating(streams, along: 1))
        }
    }

    private func turned(_ x: Tensor, _ table: RotaryTable) throws -> Tensor {
        let (cosines, sines) = try table.cosinesAndSines()
        let shape = x.shape
        let pairs = try x.reshaped(shape.dropLast() + [shape[3] / 2, 2])
        let swapped = try Tensor.stacking(
            [-pairs.selecting(1, along: -1), pairs.selecting(0, along: -1)], along: -1
        ).reshaped(shape)
        return try x * exactly(cosines).unsqueezed(1) + swapped * exactly(sines).unsqueezed(1)
    }

    @Test(arguments: [true, false])
    func rotationOfHalves(_ isNormed: Bool) throws {
        let (count, size) = (11, 128)
        let x = try randomNumbers([2, count, 3, size], seed: 12)
        let angles = try Tensor.randn([count, size / 2], generator: Generator(seed: 13))
        let both = try Tensor.concatenating([angles, angles], along: -1)
        let (cosines, sines) = try (
            both.cos().to(dtype: .bfloat16), both.sin().to(dtype: .bfloat16)
        )
        let weight = isNormed ? try randomNumbers([size], seed: 14) : nil
        func turned(_ x: Tensor, like y: Tensor) throws -> Tensor {
            let (c, s) = try (cosines.to(dtype: y.dtype), sines.to(dtype: y.dtype))
            let (low, high) = try x.halves(along: -1)
            let swapped = try Tensor.concatenating([-high, low], along: -1)
            return try x * c.unsqueezed(1) + swapped * s.unsqueezed(1)
        }
        var normed = try exactly(x)
        if let weight {
            let mean = try normed.square().mean(along: [-1], keepingAxes: true) + 1e-6
            normed = try normed / mean.sqrt() * exactly(weight)
        }
        try expectKernel(.rotation, exact: turned(normed, like: normed)) {
            if let found = try applyRotary(
                x, cosines: cosines, sines: sines, weight: weight, epsilon: 1e-6)
            {
                return found
            }
            let plain = try weight.map { try roundedRMSNorm(x, weight: $0, epsilon: 1e-6) } ?? x
            return try turned(plain, like: plain)
        }
    }

    @Test func numbersThatAreNoneStayInSight() throws {
        let x = try Tensor.from([Float.nan] + [Float](repeating: 1, count: 31), shape: [2, 16])
            .to(dtype: .bfloat16)
        let one = try Tensor.ones([16], dtype: .bfloat16)
        for y in try [
            modulated(x, shift: one, scale: one, epsilon: 1e-6),
            rmsNorm(x, weight: one, epsilon: 1),
        ] {
            let rows: [Float] = try y.sum(along: [1]).to(dtype: .float32).values()
            #expect(rows[0].isNaN && rows[1].isFinite)
        }
        let products: [Float] = try gated(x, x).to(dtype: .float32).values()
        #expect(products.map(\.isNaN) == [true] + [Bool](repeating: false, count: 31))
    }

    @Test func largeGatesAreTheirOwnValues() throws {
        let x = try Tensor.from(
            [Float](repeating: 200, count: 8) + .init(repeating: -200, count: 8)
        )
        .to(dtype: .bfloat16)
        let one = try Tensor.ones([16], dtype: .bfloat16)
        let found: [Float] = try gated(x, one).to(dtype: .float32).values()
        #expect(found.prefix(8).allSatisfy { $0 == 200 })
        #expect(found.suffix(8).allSatisfy { abs($0) < 1e-30 })
    }
}

@Suite("One place decides which kernels compute")
struct KernelChoiceTests {
    private let x: Tensor

    init() throws { x = try randomNumbers([1, 4, 2, 32], seed: 20) }

    @Test func setsAreOrderedAndNamed() {
        #expect(KernelSet.allCases == KernelSet.allCases.sorted())
        #expect(KernelSet.current <= .best)
        #expect(KernelSet(rawValue: "avx512-bf16") == .avx512BFloat16)
    }

    @Test func aLimitHoldsForItsBodyOnly() throws {
        let before = KernelSet.current
        KernelSet.limited(to: .portable) {
            #expect(KernelSet.current == min(before, .portable))
            #expect(!Kernel.attention.isUsed)
            KernelSet.limited(to: .reference) {
                #expect(KernelSet.current == .reference)
                #expect(Kernel.allCases.allSatisfy { !$0.isUsed })
            }
            #expect(KernelSet.current == min(before, .portable))
        }
        #expect(KernelSet.current == before)
    }

    /// As on a processor without AVX-512: attention is libtorch's, and row kernels give the same.
    @Test func aLowerSetComputesWhatAProcessorWithoutAVX512Does() throws {
        let attended = try KernelSet.limited(to: .portable) { try attention(x, x, x) }
        let plain = try KernelSet.limited(to: .reference) { try attention(x, x, x) }
        #expect(try attended.isEqual(to: plain))
        let lower = try KernelSet.limited(to: .portable) { try gated(x, x) }
        #expect(try lower.isEqual(to: gated(x, x)))
    }

    @Test func gradientsAreLibtorchs() throws {
        let leaf = try x.copy()
        try leaf.requireGradient()
        let used = Kernel.gate.isUsed
        #expect(!Kernel.gate.serves(leaf, x))
        #expect(Kernel.gate.serves(x, x) == used)
        #expect(withoutGradients { Kernel.gate.serves(leaf, x) } == used)
        let y = try gated(leaf, x)
        try y.sum().backward()
        #expect(try leaf.gradient() != nil)
    }

    @Test(arguments: [DType.float32, .float16])
    func otherTypesAreLibtorchs(_ dtype: DType) throws {
        let x = try x.to(dtype: dtype)
        let weight = try Tensor.ones([32], dtype: dtype)
        func all() throws -> [Tensor] {
            try [
                attention(x, x, x), attention(x, x, x, causal: true), gated(x, x),
                rmsNorm(x, weight: weight, epsilon: 1e-6), adding(x, gatedBy: weight, to: x),
                modulated(x, shift: weight, scale: weight, epsilon: 1e-6),
            ]
        }
        let plain = try KernelSet.limited(to: .reference) { try all() }
        for (a, b) in try zip(all(), plain) { #expect(try a.isEqual(to: b)) }
    }

    @Test func shapesWithoutAKernelAreLibtorchs() throws {
        let odd = try randomNumbers([2, 3, 2, 9], seed: 21)
        let none = try Tensor.empty([1, 2, 0, 32], dtype: .bfloat16)
        for (q, k) in [(odd, odd), (x, none)] {
            #expect(!Kernel.attention.serves(q, k, k))
        }
        #expect(!Kernel.gate.serves(odd, odd))
        #expect(!Kernel.rotation.serves(odd, nil))
        let spread = try x.transposed(2, 3)
        #expect(!Kernel.gate.serves(spread, spread))
    }
}
