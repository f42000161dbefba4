import CTorch

/// Cosines and sines that rotate pairs of channels by angles that depend on positions.
public struct RotaryTable {
    /// e^(i·angle) as complex numbers.
    ///
    /// - Shapes: [T, 1, d/2], the middle axis for the heads.
    private let rotation: Tensor

    /// Builds the table for positions with several coordinates, each with channels of its own.
    ///
    /// Angles are taken in 64 bits, cosines and sines kept in 32.
    ///
    /// - Parameters:
    ///   - positions: [T, number of axes], integers.
    ///   - axes: channels per coordinate, even numbers.
    ///   - theta: the base of the frequencies.
    ///   - device: where the table goes; nil is where the positions are.
    public init(
        positions: Tensor, axes: [Int], theta: Double, device: Device? = nil
    ) throws {
        let coordinates = try positions.to(dtype: .float32, device: .cpu).to(dtype: .float64)
        let angles = try axes.enumerated().map { axis, channels in
            let exponents =
                try Tensor.arange(
                    0, to: Double(channels), by: 2, dtype: .float64) / Double(channels)
            let frequencies = try Tensor.power(theta, exponents).power(-1)
            return try coordinates.slice(axis..<axis + 1, along: 1) * frequencies
        }
        let all = try Tensor.concatenating(angles, along: 1)
        let parts = try [all.cos(), all.sin()].map { try $0.to(dtype: .float32) }
        rotation = try Tensor.stacking(parts, along: -1)
            .to(device: device ?? positions.device).viewedAsComplex().unsqueezed(1)
    }

    /// The number of positions.
    public var count: Int { rotation.size(0) }

    /// Cosines and sines, each written for both channels of its pair.
    ///
    /// - Shapes: [T, d] each.
    public func cosinesAndSines() throws -> (Tensor, Tensor) {
        let pairs = try rotation.squeezed(1).viewedAsReal()
        let tables = try (0..<2).map { part in
            let table = try pairs.selecting(part, along: -1)
            return try Tensor.stacking([table, table], along: -1)
                .reshaped([table.size(0), 2 * table.size(1)])
        }
        return (tables[0], tables[1])
    }

    /// Rotates neighboring channels (2j, 2j+1), in float32, and rounds once.
    ///
    /// - Shapes: `x` [B, T, H, d] → the same.
    public func callAsFunction(_ x: Tensor) throws -> Tensor {
        if Kernel.rotation.serves(x, nil) {
            let result = try Tensor.empty(x.shape, dtype: x.dtype, device: x.device)
            try rotate(x, nil, epsilon: 0, 0..<count, into: result)
            return result
        }
        let shape = x.shape
        let pairs = try x.to(dtype: .float32).reshaped(shape.dropLast() + [shape[3] / 2, 2])
        let rotated = try pairs.viewedAsComplex() * rotation
        return try rotated.viewedAsReal().reshaped(shape).to(dtype: x.dtype)
    }

    /// Rotates heads at some places of the table by the kernel, normalized before if there is a weight.
    func rotate(
        _ x: Tensor, _ weight: Tensor?, epsilon: Double, _ places: Range<Int>, into target: Tensor
    ) throws {
        let table = try rotation.slice(places, along: 0)
        try withExtendedLifetime((x, weight, table, target)) {
            try check(
                ct_kernel_rotate_pairs(x.raw, weight?.raw, epsilon, table.raw, target.raw))
        }
    }
}
