import Torch

/// How far a result may be from what the reference computed.
///
/// The limits are those of the reference's own comparison: they leave room for another order of
/// summation, not for another formula.
public struct Tolerance {
    /// The largest norm of the difference over the norm of the expected values.
    public var relative: Double
    /// The largest difference of a single value, where that is limited.
    public var absolute: Double?
    /// Levels of 8-bit pixels: the largest difference, and the mean one.
    public var pixels: (largest: Double, mean: Double)

    private static let float32: [String: (Double, Double?)] = [
        "rope": (1e-6, 2e-6), "noise": (0, 0), "scheduler": (1e-6, nil), "prompt": (5e-5, nil),
        "transformer": (2e-5, nil), "fp8": (2e-5, nil), "vae": (2e-5, nil),
        "image": (1e-6, 1e-5), "pipeline": (1e-4, nil),
        "lora": (2e-5, nil), "training": (2e-4, nil), "optimizer": (1e-6, nil),
    ]

    private static let bfloat16: [String: (Double, Double?)] = [
        "rope": (4e-3, nil), "noise": (0, 0), "scheduler": (8e-3, nil), "prompt": (3e-2, nil),
        "transformer": (2e-2, nil), "fp8": (2e-2, nil), "vae": (4e-2, nil), "image": (8e-3, nil),
        "pipeline": (8e-2, nil), "lora": (2e-2, nil),
        "training": (5e-2, nil), "optimizer": (8e-3, nil),
    ]

    public init(stage: String, dtype: DType, output: String = "") {
        let isHalf = dtype == .bfloat16 && output != "computed_in_f32"
        let limits = (isHalf ? Self.bfloat16 : Self.float32)[stage]
        (relative, absolute) = limits ?? (isHalf ? 5e-2 : 1e-4, nil)
        // Sums of few rounded products, of which the largest cancel each other.
        if stage == "training", isHalf, output.contains("grad.") { relative = 3e-1 }
        pixels =
            switch (stage, isHalf) {
            case ("pipeline", false): (1, 0.05)
            case ("pipeline", true): (32, 2)
            default: (1, 0.25)
            }
    }

    /// How a result compares.
    public struct Verdict: CustomStringConvertible {
        public var passes: Bool
        public var description: String
    }

    public func verdict(on found: Tensor, _ expected: Tensor) throws -> Verdict {
        let (x, y) = try (
            expected.to(dtype: .float64).reshaped([-1]), found.to(dtype: .float64).reshaped([-1])
        )
        guard try y.isFinite().allTrue() else {
            return Verdict(passes: false, description: "not all values are finite")
        }
        let difference = try (x - y).abs()
        let largest = x.count > 0 ? try difference.maximum().item() : 0
        if expected.dtype == .uint8 { return try pixelVerdict(difference, largest) }
        if !expected.dtype.isFloatingPoint {
            return Verdict(passes: largest == 0, description: "largest difference \(largest)")
        }
        let norm = try x.square().sum().item().squareRoot()
        let distance = try difference.square().sum().item().squareRoot()
        let ratio = norm > 0 ? distance / norm : distance
        return Verdict(
            passes: ratio <= relative && (absolute.map { largest <= $0 } ?? true),
            description: "relative \(ratio) of \(relative), largest \(largest)")
    }

    private func pixelVerdict(_ difference: Tensor, _ largest: Double) throws -> Verdict {
        let mean = try difference.mean().item()
        return Verdict(
            passes: largest <= pixels.largest && mean <= pixels.mean,
            description: "largest \(largest) of \(pixels.largest) levels, mean \(mean)")
    }
}
