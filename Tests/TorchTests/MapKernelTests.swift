import Testing

@testable import Torch

@Suite(
    "Kernels of maps are as close to exact results as libtorch",
    .enabled(if: KernelSet.current >= .direct, "needs kernels of AVX-512 with BF16"))
struct MapKernelTests {
    /// Batch, channels in and out, height, width: odd sizes, parts of vectors, of panels and of tiles.
    static let shapes = [
        [1, 64, 64, 12, 12], [1, 16, 3, 9, 7], [2, 48, 80, 13, 11], [1, 3, 128, 6, 16],
        [1, 4, 2, 1, 1], [1, 130, 146, 5, 3], [1, 512, 128, 4, 6], [3, 96, 64, 1, 2],
        [3, 128, 160, 1, 2],
    ]

    private func random(_ shape: [Int], seed: UInt64, scale: Double = 1) throws -> Tensor {
        try (Tensor.randn(shape, generator: Generator(seed: seed)) * scale).to(dtype: .bfloat16)
    }

    private func exactly(_ x: Tensor) throws -> Tensor { try x.to(dtype: .float64) }

    private func error(_ found: Tensor, _ exact: Tensor) throws -> Double {
        #expect(found.shape == exact.shape)
        let difference = try (exactly(found) - exact).square().sum().item()
        return try (difference / exact.square().sum().item()).squareRoot()
    }

    /// A result of kernels of a set is within a limit, and not much farther off than libtorch's.
    private func expect(
        _ set: KernelSet = .direct, within limit: Double = 3e-3, slack: Double = 1.1,
        exact: Tensor, _ compute: () throws -> Tensor
    ) throws {
        let own = try KernelSet.limited(to: set) { try error(compute(), exact) }
        let plain = try KernelSet.limited(to: .reference) { try error(compute(), exact) }
        #expect(own <= limit, "\(own)")
        #expect(own <= slack * plain, "\(own), libtorch \(plain)")
    }

    private func convolution(
        _ shape: [Int], size: Int = 3, stride: Int = 1, padding: Int? = nil
    ) throws -> Convolution {
        let layer = Convolution(
            Scope(), from: shape[1], to: shape[2], size: size, stride: stride, padding: padding)
        let scale = 1 / Double(shape[1] * size * size).squareRoot()
        try layer.weight.load(random(layer.weight.shape, seed: 2, scale: scale))
        try layer.bias.load(random([shape[2]], seed: 3))
        return layer
    }

    /// The same layer in 64 bits.
    private func exact(_ layer: Convolution, _ x: Tensor) throws -> Tensor {
        let copy = Convolution(
            Scope(), from: layer.weight.shape[1], to: layer.weight.shape[0],
            size: layer.weight.shape[2], stride: layer.stride, padding: layer.padding)
        let like = try Tensor.zeros([1], dtype: .float64)
        try copy.weight.load(layer.weight.value(like: like))
        try copy.bias.load(layer.bias.value(like: like))
        return try copy(exactly(x))
    }

    private func map(_ shape: [Int], seed: UInt64 = 1) throws -> Tensor {
        try random([shape[0], shape[1], shape[3], shape[4]], seed: seed)
    }

    @Test(arguments: shapes)
    func convolutions(_ shape: [Int]) throws {
        let x = try map(shape)
        for size in [1, 3] {
            let layer = try convolution(shape, size: size)
            #expect(layer.hasKernel(for: x))
            try expect(exact: exact(layer, x)) { try layer(x) }
        }
    }

    /// Sums of four inputs are rounded before they are multiplied, and so are weights.
    @Test(arguments: shapes.filter { min($0[1], $0[2]) >= 128 })
    func winogradIsWithinFiveThousandths(_ shape: [Int]) throws {
        let (x, layer) = try (map(shape), convolution(shape))
        #expect(try Kernel.winograd.serves(x, layer.weight.value(like: x)))
        try expect(.best, within: 5e-3, slack: 2.5, exact: exact(layer, x)) { try layer(x) }
    }

    @Test(arguments: shapes.filter { $0[3] > 1 })
    func strideTwoWithABorderOnTwoSides(_ shape: [Int]) throws {
        let (x, layer) = try (map(shape), convolution(shape, stride: 2, padding: 0))
        try expect(exact: exact(layer, x.padded([0, 1, 0, 1]))) {
            layer.hasKernel(for: x)
                ? try layer(bordered: x.bordered(Border(bottom: 1, right: 1)))
                : try layer(x.padded([0, 1, 0, 1]))
        }
    }

    /// Sums of weights are rounded, and differences of pixels where that saves products.
    @Test(arguments: shapes)
    func enlargementIsFoldedIntoConvolutions(_ shape: [Int]) throws {
        let (x, layer) = try (map(shape), convolution(shape))
        let large = try upsampledByRepetition(exactly(x), factor: 2)
        for (set, limit, slack) in [(KernelSet.direct, 3e-3, 1.5), (.best, 5e-3, 2.5)] {
            try expect(set, within: limit, slack: slack, exact: exact(layer, large)) {
                layer.hasKernel(for: x)
                    ? try layer.upsampled(bordered: x.bordered(Border(1)))
                    : try layer(upsampledByRepetition(x, factor: 2))
            }
        }
    }

    @Test(arguments: [KernelSet.direct, .avx512BFloat16])
    func sumsAreRoundedOnce(_ set: KernelSet) throws {
        let shape = [2, 64, 80, 7, 9]
        let (x, added, layer) = try (
            map(shape), map([2, 80, 80, 7, 9], seed: 4), convolution(shape)
        )
        let sum = try exact(layer, x) + exactly(added)
        try expect(set, within: 4e-3, slack: set == .direct ? 1 : 2, exact: sum) {
            layer.hasKernel(for: x)
                ? try layer(bordered: x.bordered(Border(1)), adding: added)
                : try layer(x) + added
        }
    }

    @Test(arguments: shapes.filter { $0[1] % 2 == 0 })
    func normsWithActivation(_ shape: [Int]) throws {
        let x = try random([shape[0], shape[1], shape[3] + 1, shape[4] + 1], seed: 5, scale: 2) + 3
        let groups = shape[1] % 8 == 0 ? 8 : 2
        let norm = GroupNorm(Scope(), channels: shape[1], groups: groups, epsilon: 1e-6)
        try norm.weight.load(random([shape[1]], seed: 6))
        try norm.bias.load(random([shape[1]], seed: 7))
        let one = try Tensor.zeros([1], dtype: .float64)
        let wide = GroupNorm(Scope(), channels: shape[1], groups: groups, epsilon: 1e-6)
        try wide.weight.load(norm.weight.value(like: one))
        try wide.bias.load(norm.bias.value(like: one))
        try expect(exact: wide(exactly(x))) { try norm(x) }
        try expect(exact: silu(wide(exactly(x)))) {
            norm.hasKernel(for: x)
                ? try norm(x, border: .none, activates: true) : try silu(norm(x))
        }
    }

    @Test func bordersAreZeros() throws {
        let x = try random([2, 3, 5, 6], seed: 8)
        let bordered = try x.bordered(Border(top: 1, bottom: 2, left: 3, right: 4))
        #expect(bordered.shape == [2, 4, 8, 13])
        let expected = try x.padded([3, 4, 1, 2])
        #expect(try bordered.slice(0..<3, along: 1).isEqual(to: expected))
        #expect(try bordered.slice(3..<4, along: 1).abs().maximum().item() == 0)
    }

    /// As strips of rows need it.
    @Test(arguments: [KernelSet.direct, .avx512BFloat16])
    func rowsAreTheSameInWhateverPiece(_ set: KernelSet) throws {
        try KernelSet.limited(to: set) {
            let shape = [1, 64, 96, 14, 10]
            let (x, layer) = try (map(shape), convolution(shape))
            let bordered = try x.bordered(Border(1))
            let (whole, large) = try (
                layer(bordered: bordered), layer.upsampled(bordered: bordered)
            )
            for rows in [0..<4, 4..<10, 10..<14] {
                let piece = try bordered.slice(rows.lowerBound..<rows.upperBound + 2, along: 2)
                #expect(try layer(bordered: piece).isEqual(to: whole.slice(rows, along: 2)))
                let twice = 2 * rows.lowerBound..<2 * rows.upperBound
                #expect(
                    try layer.upsampled(bordered: piece).isEqual(to: large.slice(twice, along: 2)))
            }
        }
    }

    @Test func whatIsTrainedIsLeftToLibtorch() throws {
        let shape = [1, 16, 16, 6, 6]
        let (x, layer) = try (map(shape), convolution(shape))
        let weight = try layer.weight.value(like: x)
        try weight.requireGradient()
        withGradients { #expect(!layer.hasKernel(for: x)) }
        withoutGradients { #expect(layer.hasKernel(for: x)) }
        #expect(!layer.hasKernel(for: try x.to(dtype: .float32)))
        KernelSet.limited(to: .portable) { #expect(!layer.hasKernel(for: x)) }
    }

    @Test func aMapOfOtherChannelsIsRefused() throws {
        let layer = try convolution([1, 16, 16, 6, 6])
        let x = try random([1, 32, 6, 6], seed: 9)
        #expect(throws: TorchError.self) { try layer(bordered: x) }
    }
}
