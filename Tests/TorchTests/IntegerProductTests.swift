import TestSupport
import Testing

@testable import Torch

/// The norm of the difference over the norm of exact values.
private func error(_ found: Tensor, _ exact: Tensor) throws -> Double {
    let difference = try (found.to(dtype: .float64) - exact).square().sum().item()
    return try (difference / max(exact.square().sum().item(), 1e-300)).squareRoot()
}

/// Numbers as they come in layers, of which some are hard for 8 bits.
enum LayerNumbers: String, CaseIterable {
    case normal, fewChannelsBy30, someChannelsBy30, fewChannelsBy100
    case unevenChannels, unevenChannelsAndWeights, gatedProducts, scattered, unevenTokens

    /// [rows, width] of `bfloat16`.
    func rows(_ count: Int, _ width: Int) throws -> Tensor {
        let generator = try Generator(seed: 11)
        let x = try Tensor.randn([count, width], generator: generator)
        func factors(_ shape: [Int], share: Double, by factor: Double) throws -> Tensor {
            let isLarge = try Tensor.rand(shape, generator: generator).greater(than: 1 - share)
            return try .choosing(isLarge, .full([1], factor), .ones([1]))
        }
        func uneven(_ shape: [Int]) throws -> Tensor {
            try (Tensor.randn(shape, generator: generator) * 0.7).exp()
        }
        let numbers: Tensor =
            switch self {
            case .normal: x
            case .fewChannelsBy30: try x * factors([width], share: 0.001, by: 30)
            case .someChannelsBy30: try x * factors([width], share: 0.01, by: 30)
            case .fewChannelsBy100: try x * factors([width], share: 0.001, by: 100)
            case .unevenChannels, .unevenChannelsAndWeights: try x * uneven([width])
            case .gatedProducts: try silu(x) * Tensor.randn([count, width], generator: generator)
            case .scattered: try x * factors([count, width], share: 0.001, by: 30)
            case .unevenTokens: try x * uneven([count, 1])
            }
        return try numbers.to(dtype: .bfloat16)
    }

    /// [rows, width] of `bfloat16`; of normal distribution, or with heavier tails.
    func weight(_ rows: Int, _ width: Int) throws -> Tensor {
        let generator = try Generator(seed: 12)
        let normal = try Tensor.randn([rows, width], generator: generator) * 0.02
        guard self == .unevenChannelsAndWeights else { return try normal.to(dtype: .bfloat16) }
        let spread = try (Tensor.randn([rows, width], generator: generator) * 0.5).exp()
        return try (normal * spread).to(dtype: .bfloat16)
    }
}

/// Integers from -127 to 127, of which each row has the largest.
private func integers(_ rows: Int, _ width: Int, seed: UInt64) throws -> Tensor {
    let all = try Tensor.randint(-127..<128, [rows, width], generator: Generator(seed: seed))
    let largest = try Tensor.full([rows, 1], 127, dtype: all.dtype)
    return try .concatenating([largest, all.slice(1..<width, along: 1)], along: 1)
        .to(dtype: .int8)
}

@Suite("Turned integers")
struct TurnedWeightTests {
    /// By the definition of the matrix, of rows of every width of blocks.
    @Test(arguments: [1, 2, 3, 6, 20, 24, 48, 96, 192, 320, 384, 768, 1280])
    func areUnpackedByTheMatrix(_ width: Int) throws {
        var block = 1
        while block < 256, width % (2 * block) == 0 { block *= 2 }
        let signs = (0..<block * block).map { place in
            ((place / block) & (place % block)).nonzeroBitCount % 2 == 0 ? 1.0 : -1.0
        }
        let matrix = try Tensor.from(signs, shape: [block, block]) / Double(block).squareRoot()
        let values = try integers(5, width, seed: 1)
        let scale = try Tensor.rand([5, 1], generator: Generator(seed: 2)) + 0.1
        let exact =
            try (values.to(dtype: .float64).reshaped([-1, block]).matmul(matrix))
            .reshaped([5, width]) * scale.to(dtype: .float64)
        let quantized = QuantizedTensor(values, scale: scale, isRotated: true)
        for (dtype, limit) in [(DType.float32, 1e-6), (.bfloat16, 3e-3), (.float16, 4e-4)] {
            let found = try StoredWeight.quantized(quantized).value(dtype: dtype, device: .cpu)
            #expect(try error(found, exact) < limit, "\(width) as \(dtype)")
        }
    }

    /// Where weights do not lie side by side, libtorch turns them, with the same result.
    @Test func areUnpackedAlikeByOperations() throws {
        let values = try integers(6, 512, seed: 3)
        let scale = try Tensor.rand([6, 1], generator: Generator(seed: 4))
        let apart = try values.transposed(0, 1).contiguous().transposed(0, 1)
        let (found, expected) = try (Tensor.empty([6, 512]), Tensor.empty([6, 512]))
        try QuantizedTensor(apart, scale: scale, isRotated: true).dequantize(into: found)
        try QuantizedTensor(values, scale: scale, isRotated: true).dequantize(into: expected)
        #expect(try found.isEqual(to: expected))
    }

    @Test(arguments: LayerNumbers.allCases)
    func areAsCloseAsEightBitsAllow(_ numbers: LayerNumbers) throws {
        let weight = try numbers.rows(64, 3072)
        let quantized = try QuantizedTensor.quantizing(weight, as: .int8Rotated)
        let found = try quantized.loss(from: weight)
        #expect((0.004...0.013).contains(found.relative), "\(found.relative)")
        let value = try StoredWeight.quantized(quantized).value(dtype: .float32, device: .cpu)
        #expect(try abs(error(value, weight.to(dtype: .float64)) / found.relative - 1) < 1e-4)
    }

    @Test(arguments: [7, 40, 96, 256])
    func givePackedValuesAgain(_ width: Int) throws {
        let values = try integers(9, width, seed: 5)
        let first = QuantizedTensor(values, scale: try .full([9, 1], 0.01), isRotated: true)
        let weight = try StoredWeight.quantized(first).value(dtype: .float32, device: .cpu).copy()
        let again = try QuantizedTensor.quantizing(weight, as: .int8Rotated)
        #expect(try again.values.isEqual(to: values))
        #expect(again.isRotated && again.scale?.shape == [9, 1])
        for dtype in [DType.bfloat16, .float16] {
            let short = try weight.to(dtype: dtype)
            let (found, expected) = try (
                QuantizedTensor.quantizing(short, as: .int8Rotated),
                QuantizedTensor.quantizing(short.to(dtype: .float32), as: .int8Rotated)
            )
            #expect(try found.values.isEqual(to: expected.values))
        }
    }

    @Test func rowsAndCopiesStayTurned() throws {
        let weight = try Tensor.randn([8, 64], generator: Generator(seed: 6))
        let stored = StoredWeight.quantized(try .quantizing(weight, as: .int8Rotated))
        let whole = try stored.value(dtype: .float32, device: .cpu).copy()
        let rows = try stored.rows([5..<7, 1..<2]).value(dtype: .float32, device: .cpu).copy()
        let expected = try Tensor.concatenating(
            [whole.slice(5..<7, along: 0), whole.slice(1..<2, along: 0)], along: 0)
        #expect(try rows.isEqual(to: expected))
        let copy = try stored.replacing(stored.tensors.map { try $0.copy() })
        #expect(try copy.value(dtype: .float32, device: .cpu).isEqual(to: whole))
    }

    @Test func zerosAndWhatIsNoNumberStay() throws {
        let zeros = try QuantizedTensor.quantizing(.zeros([2, 64]), as: .int8Rotated)
        let value = try StoredWeight.quantized(zeros).value(dtype: .float32, device: .cpu)
        #expect(try value.isEqual(to: .zeros([2, 64])))
        let broken = try QuantizedTensor.quantizing(.full([2, 64], .nan), as: .int8Rotated)
        #expect(try !broken.loss(from: .full([2, 64], .nan)).relative.isFinite)
    }
}

@Suite(
    "Products of integers", .serialized,
    .enabled(if: Kernel.int8.isUsed, "needs AVX-512 with VNNI"))
struct IntegerProductTests {
    private func product(_ x: Tensor, _ weight: QuantizedTensor) throws -> Tensor {
        try withoutGradients {
            #expect(Kernel.int8.serves(x, weight.values))
            return try Torch.product(of: x, with: .quantized(weight))
        }
    }

    /// The limits of the measurements that this is made after, in which no distribution stands out.
    @Test(arguments: LayerNumbers.allCases)
    func areCloseOnEveryDistribution(_ numbers: LayerNumbers) throws {
        for (rows, width) in [(37, 3072), (8, 12288)] {
            let x = try numbers.rows(rows, width)
            let weight = try numbers.weight(192, width)
            let exact = try linear(x.to(dtype: .float64), weight.to(dtype: .float64))
            let quantized = try QuantizedTensor.quantizing(weight, as: .int8Rotated)
            let found = try error(product(x, quantized), exact)
            #expect((0.007...0.016).contains(found), "\(numbers.rawValue) \(width): \(found)")
        }
    }

    /// Rows that are integers when they are rotated have exact products.
    @Test(arguments: [1, 6, 7, 400], [1, 63, 64, 130, 200])
    func areThoseOfTheIntegers(_ rows: Int, _ outputs: Int) throws {
        for width in [3, 40, 48, 96, 100, 256, 2304, 4160] {
            let (a, b) = try (integers(rows, width, seed: 7), integers(outputs, width, seed: 8))
            let ones = try (Tensor.ones([rows, 1]), Tensor.full([outputs, 1], 0.5))
            let x = try StoredWeight.quantized(QuantizedTensor(a, scale: ones.0, isRotated: true))
                .value(dtype: .float32, device: .cpu).copy()
            let exact = try linear(a.to(dtype: .float64), b.to(dtype: .float64)) * 0.5
            let found = try product(x, QuantizedTensor(b, scale: ones.1, isRotated: true))
            #expect(found.shape == [rows, outputs] && found.dtype == .float32)
            #expect(try error(found, exact) < 2e-6, "\(rows) x \(outputs) x \(width)")
        }
    }

    private func plainly(_ x: Tensor, _ weight: QuantizedTensor) throws -> Tensor {
        try linear(x, StoredWeight.quantized(weight).value(dtype: x.dtype, device: .cpu))
    }

    private func sample(
        _ shape: [Int], outputs: Int = 96
    ) throws -> (x: Tensor, weight: QuantizedTensor) {
        let generator = try Generator(seed: 9)
        let weight = try Tensor.randn([outputs, shape.last ?? 1], generator: generator)
        let x = try Tensor.randn(shape, generator: generator).to(dtype: .bfloat16)
        return (x, try .quantizing(weight, as: .int8Rotated))
    }

    @Test func rowsDoNotDependOnEachOtherNorOnThreads() throws {
        let (x, weight) = try sample([2, 201, 768], outputs: 321)
        let all = try product(x, weight)
        let before = Runtime.threads
        defer { Runtime.threads = before }
        for threads in [1, 2, 3] {
            Runtime.threads = threads
            #expect(try product(x, weight).isEqual(to: all), "\(threads) threads")
        }
        let row = try x.slice(1..<2, along: 0).slice(77..<78, along: 1)
        let expected = try all.slice(1..<2, along: 0).slice(77..<78, along: 1)
        #expect(try product(row, weight).isEqual(to: expected))
    }

    @Test func rowsMayLieApart() throws {
        let (x, weight) = try sample([3, 5, 512])
        let (left, right) = try x.halves(along: -1)
        let half = try QuantizedTensor.quantizing(
            Tensor.randn([40, 256], generator: Generator(seed: 10)), as: .int8Rotated)
        for part in [left, right] {
            #expect(try product(part, half).isEqual(to: product(part.contiguous(), half)))
        }
        let turned = try x.transposed(0, 1)
        #expect(try product(turned, weight).isEqual(to: product(turned.contiguous(), weight)))
        #expect(try product(x.slice(0..<0, along: 1), weight).shape == [3, 0, 96])
    }

    @Test func whatIsNoNumberStaysInItsRow() throws {
        let (x, weight) = try sample([3, 256])
        let factor = try Tensor.from([1, Float.nan, 1], shape: [3, 1]).to(dtype: .bfloat16)
        let found = try product(x * factor, weight).isFinite().to(dtype: .float32)
            .sum(along: [1]).values(as: Float.self)
        #expect(found == [96, 0, 96])
    }

    /// As on a processor without the instructions: the weight is made again, and libtorch multiplies.
    @Test func aLowerSetMultipliesNumbers() throws {
        let (x, weight) = try sample([4, 256])
        let plain = try plainly(x, weight)
        let own = try product(x, weight)
        #expect(try !own.isEqual(to: plain))
        let lower = try withoutGradients {
            try KernelSet.limited(to: .portable) {
                #expect(!Kernel.int8.isUsed && !Kernel.int8.serves(x, weight.values))
                return try Torch.product(of: x, with: .quantized(weight))
            }
        }
        #expect(try lower.isEqual(to: plain))
        try withoutGradients {
            let limited = try KernelSet.limited(to: .avx512Integers) {
                try Torch.product(of: x, with: .quantized(weight))
            }
            #expect(try limited.isEqual(to: own))
        }
    }

    /// Another type, other ways to quantize, and gradients.
    @Test func whatIsNotForIntegersIsNotTaken() throws {
        let (x, weight) = try sample([4, 256])
        try withoutGradients {
            let half = try x.to(dtype: .float16)
            let plain = try plainly(half, weight)
            #expect(try Torch.product(of: half, with: .quantized(weight)).isEqual(to: plain))
            let rows = try QuantizedTensor.quantizing(
                Tensor.randn([8, 256], generator: Generator(seed: 1)), as: .int8Rows)
            #expect(try rows.integerProduct(with: x) == nil)
        }
        #expect(!Kernel.int8.serves(x, weight.values), "gradients may be recorded")
        let leaf = try x.copy()
        try leaf.requireGradient()
        let layer = Linear(Scope(), from: 256, to: 96)
        try layer.weight.load(.quantized(weight))
        let results = try checkpointed([leaf], outputs: 1) { inputs in
            #expect(!Kernel.int8.serves(inputs[0], weight.values), "it is recomputed")
            return [try layer(inputs[0])]
        }
        let plain = try plainly(x, weight)
        #expect(try results[0].isEqual(to: plain))
        try results[0].sum().backward()
        #expect(try leaf.gradient() != nil)
    }

    @Test func adaptersWorkBesideThem() throws {
        let (x, weight) = try sample([2, 9, 256])
        let generator = try Generator(seed: 13)
        let down = try Tensor.randn([4, 256], generator: generator, dtype: .bfloat16)
        let up = try Tensor.randn([96, 4], generator: generator, dtype: .bfloat16)
        let layer = Linear(Scope(), from: 256, to: 96)
        try layer.weight.load(.quantized(weight))
        layer.weight.adapters = [Adapter(.lowRank(down: down, up: up), scale: 0.5)]
        let found = try withoutGradients { try layer(x) }
        let expected = try product(x, weight) + linear(linear(x, down) * 0.5, up)
        #expect(try error(found, expected.to(dtype: .float64)) < 5e-3)
    }

    /// What rounding of both sides comes to, of the weight alone where numbers are multiplied.
    @Test func theErrorOfOutputsIsTold() throws {
        let weight = try Tensor.randn([3000, 512], generator: Generator(seed: 14))
            .to(dtype: .bfloat16)
        let quantized = try QuantizedTensor.quantizing(weight, as: .int8Rotated)
        let alone = try quantized.loss(from: weight).relative
        try withoutGradients {
            let both = try quantized.outputLoss(from: weight).relative
            #expect((1.2 * alone...1.6 * alone).contains(both), "\(both) of \(alone)")
            let numbers = try KernelSet.limited(to: .reference) {
                try quantized.outputLoss(from: weight).relative
            }
            #expect((0.95 * alone...1.2 * alone).contains(numbers), "\(numbers) of \(alone)")
        }
    }
}
