public import Torch

/// How fast an operation is with the kernels that are used now, beside libtorch alone.
public struct KernelRate: Hashable, Sendable {
    /// What a rate counts.
    public enum Unit: String, Hashable, Sendable {
        /// Floating-point operations, in thousands of millions a second.
        case operations = "GFLOP/s"
        /// Bytes read and written, in thousands of millions a second.
        case bytes = "GB/s"
    }

    /// What is computed; nil is a matrix product, which is libtorch's always.
    public var kernel: Kernel?
    /// Of what size, in words.
    public var size: String
    /// What the rates count.
    public var unit: Unit
    /// With the kernels that are used now.
    public var rate: Double
    /// With libtorch alone; nil for what it computes anyway.
    public var libtorch: Double?
    /// A matrix product's rate in the same moments, in thousands of millions of operations a second.
    /// The machine's clock and other programs change it from one second to the next.
    public var product: Double
}

extension KernelRate {
    /// Measures one operation after the other, with the sizes of klein-4B.
    ///
    /// - Parameters:
    ///   - rounds: how often each is measured, kernel, libtorch and product by turns; the best counts.
    ///   - show: told about each rate when it is known.
    public static func measure(rounds: Int = 5, _ show: (KernelRate) throws -> Void) throws {
        try withoutGradients {
            let bench = try KernelBench(rounds: rounds)
            try show(bench.product())
            for tokens in [1536, 1500, 4608, 8704] { try show(bench.attention(tokens)) }
            try show(bench.causalAttention(512))
            for rate in [
                KernelBench.modulation, KernelBench.norm, KernelBench.rotation, KernelBench.gate,
                KernelBench.residual,
            ] { try show(rate(bench)(1536)) }
            for tokens in [512, 1536, 4608] {
                try show(bench.integers(tokens, from: 3072, to: 27648))
                try show(bench.integers(tokens, from: 12288, to: 3072))
            }
        }
    }
}

/// What is measured, and how.
private struct KernelBench {
    let rounds: Int
    private let generator: Generator
    private let sample: SampleProduct
    private let heads = 24
    private let size = 128
    private let width = 3072

    init(rounds: Int) throws {
        self.rounds = rounds
        generator = try Generator(seed: 1)
        sample = try SampleProduct()
    }

    private func numbers(_ shape: [Int]) throws -> Tensor {
        try .randn(shape, generator: generator, dtype: .bfloat16)
    }

    /// Seconds of one call.
    private func seconds(_ body: () throws -> Tensor) throws -> Double {
        let clock = ContinuousClock()
        let begun = clock.now
        // Short ones several times, until the clock can tell.
        var count = 0
        repeat {
            _ = try body()
            count += 1
        } while clock.now - begun < .milliseconds(20)
        return (clock.now - begun) / .seconds(1) / Double(count)
    }

    /// - Parameter plain: what libtorch does instead; nil is the same without kernels.
    private func rate(
        _ kernel: Kernel?, _ size: String, _ unit: KernelRate.Unit, work: Double,
        plain: (() throws -> Tensor)? = nil, _ body: () throws -> Tensor
    ) throws -> KernelRate {
        var best = (own: Double.infinity, libtorch: Double.infinity, product: Double.infinity)
        _ = try body()
        for round in 0..<rounds {
            best.product = try min(best.product, seconds { try sample() })
            best.own = try min(best.own, seconds(body))
            // Where it takes long, it is not worth being waited for more than twice.
            guard kernel != nil, round < 2 || best.libtorch < 0.5 else { continue }
            let other = try KernelSet.limited(to: .reference) {
                try plain.map(seconds) ?? seconds(body)
            }
            best.libtorch = min(best.libtorch, other)
        }
        let product = sample.operations / best.product / 1e9
        return KernelRate(
            kernel: kernel, size: size, unit: unit, rate: work / best.own / 1e9,
            libtorch: kernel == nil ? nil : work / best.libtorch / 1e9, product: product)
    }

    func product() throws -> KernelRate {
        try rate(nil, sample.size, .operations, work: sample.operations) { try sample() }
    }

    /// Queries, keys and values as parts of one projection's rows.
    func attention(_ tokens: Int) throws -> KernelRate {
        let parts = try numbers([1, tokens, 3 * width]).chunks(3, along: -1).map {
            try $0.reshaped([1, tokens, heads, size]).transposed(1, 2)
        }
        let work = 4 * Double(tokens * tokens * width)
        return try rate(.attention, "\(tokens) tokens, 24 heads", .operations, work: work) {
            try Torch.attention(parts[0], parts[1], parts[2], gathering: true)
        }
    }

    /// As in the text encoder, whose heads share keys; half of the table counts.
    func causalAttention(_ tokens: Int) throws -> KernelRate {
        let q = try numbers([1, tokens, 32, size]).transposed(1, 2)
        let k = try numbers([1, tokens, 8, size]).transposed(1, 2)
        let work = 2 * Double(tokens * tokens * 32 * size)
        return try rate(.attention, "\(tokens) tokens, 32/8 causal", .operations, work: work) {
            try Torch.attention(q, k, k, causal: true, grouped: true)
        }
    }

    /// - Parameter tensors: how many of [tokens, width] are read and written.
    private func rate(
        _ kernel: Kernel, _ tokens: Int, width: Int, tensors: Int, _ body: () throws -> Tensor
    ) throws -> KernelRate {
        try rate(
            kernel, "\(tokens)x\(width)", .bytes, work: Double(2 * tensors * tokens * width), body)
    }

    func modulation(_ tokens: Int) throws -> KernelRate {
        let (x, part) = try (numbers([1, tokens, width]), numbers([1, 1, width]))
        return try rate(.modulation, tokens, width: width, tensors: 2) {
            try modulated(x, shift: part, scale: part, epsilon: 1e-6)
        }
    }

    func norm(_ tokens: Int) throws -> KernelRate {
        let (x, weight) = try (numbers([1, tokens, width]), numbers([width]))
        return try rate(.norm, tokens, width: width, tensors: 2) {
            try rmsNorm(x, weight: weight, epsilon: 1e-6)
        }
    }

    func rotation(_ tokens: Int) throws -> KernelRate {
        let x = try numbers([1, tokens, heads, size])
        let positions = try Tensor.arange(to: Double(tokens), dtype: .int64).unsqueezed(1)
        let table = try RotaryTable(positions: positions, axes: [size], theta: 2000)
        let norm = RMSNorm(Scope(), width: size, epsilon: 1e-6)
        try norm.weight.load(numbers([size]))
        return try rate(.rotation, tokens, width: width, tensors: 2) {
            try table([PreRotaryHeads(x, norm)])
        }
    }

    func gate(_ tokens: Int) throws -> KernelRate {
        let both = try numbers([1, tokens, 6 * width])
        let (gate, up) = try both.halves(along: -1)
        return try rate(.gate, tokens, width: 3 * width, tensors: 3) { try gated(gate, up) }
    }

    /// A layer whose weight has 8 bits, beside one whose weight has 16.
    func integers(_ tokens: Int, from inputs: Int, to outputs: Int) throws -> KernelRate {
        let x = try numbers([tokens, inputs])
        let weight = try numbers([outputs, inputs])
        let layer = Linear(Scope(), from: inputs, to: outputs)
        try layer.weight.load(.quantized(.quantizing(weight, as: .int8Rotated)))
        let work = 2 * Double(tokens * inputs * outputs)
        return try rate(
            .int8, "\(tokens)x\(inputs) by \(inputs)x\(outputs)", .operations, work: work
        ) {
            try linear(x, weight)
        } _: {
            try layer(x)
        }
    }

    func residual(_ tokens: Int) throws -> KernelRate {
        let (x, y) = try (numbers([1, tokens, width]), numbers([1, tokens, width]))
        let part = try numbers([1, 1, width])
        return try rate(.residual, tokens, width: width, tensors: 3) {
            try adding(y, gatedBy: part, to: x)
        }
    }
}
