public import Torch

/// How fast a machine does what nothing can do without: products, and reading memory.
public struct MachineRates: Hashable, Sendable, Codable {
    /// Operations a second of a product in the type that is computed in, 1536x3072 by 3072x3072.
    public var product: Double
    /// The same of 8-bit integers, 1536x3072 by 3072x12288, its other side rounded on the way;
    /// nil where they are not multiplied as integers.
    public var integerProduct: Double?
    /// Bytes a second of reading memory.
    public var bandwidth: Double

    /// Measures each some times; the best counts.
    public static func measure(_ device: Device, _ dtype: DType) throws -> MachineRates {
        try withoutGradients {
            let product = try SampleProduct(dtype: dtype, device: device)
            return MachineRates(
                product: product.operations / (try fastest { try product() }),
                integerProduct: try integers(product.x), bandwidth: try reading(device))
        }
    }

    /// With what is better in either.
    public func best(with other: MachineRates) -> MachineRates {
        MachineRates(
            product: max(product, other.product),
            integerProduct: [integerProduct, other.integerProduct].compactMap(\.self).max(),
            bandwidth: max(bandwidth, other.bandwidth))
    }

    /// Seconds below which work cannot be done at these rates: of computing or of reading what is
    /// computed with, whichever takes longer.
    public func floor(of work: OperationCounts) -> Double {
        let numbers = Double(work.operations) - Double(integerProduct == nil ? 0 : work.int8)
        let integers = integerProduct.map { Double(work.int8) / $0 } ?? 0
        return max(numbers / product + integers, Double(work.bytes) / bandwidth)
    }

    private static func integers(_ x: Tensor) throws -> Double? {
        guard QuantizedTensor.areMultipliedAsIntegers(on: x.device, in: x.dtype) else { return nil }
        let weight = try Tensor.randn([4 * x.size(1), x.size(1)], generator: Generator(seed: 2))
        let layer = Linear(Scope(), from: weight.size(1), to: weight.size(0))
        try layer.weight.load(.quantized(.quantizing(weight, as: .int8Rotated)))
        let once = 2 * Double(x.size(0) * weight.size(0) * weight.size(1))
        return once / (try fastest { try layer(x) })
    }

    /// What does not stay in a cache.
    private static func reading(_ device: Device) throws -> Double {
        let memory = try Tensor.full([1 << 26], 1).to(device: device)
        return Double(4 << 26) / (try fastest { try memory.sum() })
    }

    /// Seconds of the fastest of some calls; what they give is waited for.
    private static func fastest(_ body: () throws -> Tensor) throws -> Double {
        try body().wait()
        return try (0..<8).map { _ in
            let clock = Stopwatch()
            try body().wait()
            return clock.seconds
        }.min() ?? 0
    }
}
