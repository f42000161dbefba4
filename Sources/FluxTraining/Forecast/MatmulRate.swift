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
            let generator = try Generator(seed: 1)
            func matrix(_ rows: Int) throws -> Tensor {
                try Tensor.rand([rows, width], generator: generator)
                    .to(dtype: dtype, device: device)
            }
            let (x, weight) = try (matrix(rows), matrix(width))
            // A value that is asked for waits for all work on the device.
            func wait(_ y: Tensor) throws { _ = try y.sum().item() }
            try wait(linear(x, weight))
            var count = 0
            let clock = ContinuousClock()
            let begun = clock.now
            var passed = 0.0
            while passed < seconds {
                var y = x
                for _ in 0..<(device.kind == .cpu ? 1 : 16) {
                    y = try linear(x, weight)
                    count += 1
                }
                try wait(y.slice(0..<1, along: 0))
                passed = (clock.now - begun) / .seconds(1)
            }
            return 2 * Double(rows * width * width * count) / passed
        }
    }
}
