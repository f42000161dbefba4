internal import Flux2
public import Torch

/// How fast a device multiplies matrices, which is most of what training does.
public enum MatmulRate {
    /// What a whole step reaches of the rate of one product: attention, norms and the changing of places
    /// take their time, too. Measured for klein-4B at 512x512, 0.63 of 0.93 TFLOP/s (Zen 4, two threads).
    public static let shareOfStep = 0.68

    /// Times products of a block's shape until they have taken a moment, without the first.
    ///
    /// - Parameter rows: tokens.
    /// - Returns: floating-point operations in a second.
    public static func measure(
        device: Device, dtype: DType, rows: Int = 512, width: Int = 3072, seconds: Double = 0.3
    ) throws -> Double {
        try withoutGradients {
            let product = try SampleProduct(
                rows: rows, width: width, dtype: dtype, device: device)
            try product().wait()
            var count = 0
            let clock = ContinuousClock()
            let begun = clock.now
            var passed = 0.0
            while passed < seconds {
                var y = product.x
                for _ in 0..<(device.kind == .cpu ? 1 : 16) {
                    y = try product()
                    count += 1
                }
                try y.wait()
                passed = (clock.now - begun) / .seconds(1)
            }
            return product.operations * Double(count) / passed
        }
    }
}
