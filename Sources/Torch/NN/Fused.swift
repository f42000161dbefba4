internal import CTorch

/// Shifts and scales a normalized stream: `(1 + scale) · norm(x) + shift`.
///
/// - Shapes: `x` [..., D]; `shift` and `scale` spread to it, such as [B, 1, D] → [..., D].
public func modulated(
    _ x: Tensor, shift: Tensor, scale: Tensor, epsilon: Double
) throws -> Tensor {
    guard Kernel.modulation.serves(x, shift, scale) else {
        return try (1 + scale) * layerNorm(x, epsilon: epsilon) + shift
    }
    return try Tensor.written(like: x, from: x, shift, scale) {
        ct_kernel_modulation(x.raw, shift.raw, scale.raw, epsilon, $0)
    }
}

/// RMS norm whose values are rounded before the weight is applied, where no kernel does both.
///
/// - Shapes: `x` [..., D], `weight` [D] → [..., D].
public func roundedRMSNorm(_ x: Tensor, weight: Tensor, epsilon: Double) throws -> Tensor {
    guard Kernel.norm.serves(x, weight) else { return try weight * rmsNorm(x, epsilon: epsilon) }
    return try rmsNorm(x, weight: weight, epsilon: epsilon)
}

/// `silu(gate) · up`.
///
/// - Shapes: two equal ones.
public func gated(_ gate: Tensor, _ up: Tensor) throws -> Tensor {
    guard Kernel.gate.serves(gate, up) else { return try silu(gate) * up }
    return try Tensor.written(like: gate, from: gate, up) {
        ct_kernel_gate(gate.raw, up.raw, $0)
    }
}

/// `x + gate · y`.
///
/// - Shapes: `x`, `y` [..., D]; `gate` spreads to them, such as [B, 1, D] → [..., D].
public func adding(_ y: Tensor, gatedBy gate: Tensor, to x: Tensor) throws -> Tensor {
    guard Kernel.residual.serves(x, gate, y) else { return try x + gate * y }
    return try Tensor.written(like: x, from: x, gate, y) {
        ct_kernel_residual(x.raw, gate.raw, y.raw, $0)
    }
}

/// Rotates the two halves of each head against each other, normalized before by their root mean square
/// if there is a weight: one kernel for both.
///
/// - Parameters:
///   - weight: [d], of the norm.
///   - cosines: [T, d], as is `sines`.
/// - Shapes: `x` [B, T, H, d] → the same.
/// - Returns: nil where there is no kernel for it.
public func applyRotary(
    _ x: Tensor, cosines: Tensor, sines: Tensor, weight: @autoclosure () throws -> Tensor?,
    epsilon: Double
) throws -> Tensor? {
    // A weight may have to be loaded; not for nothing.
    guard Kernel.rotation.serves(x, nil) else { return nil }
    let weight = try weight()
    guard Kernel.rotation.serves(x, weight) else { return nil }
    return try Tensor.written(like: x, from: x, weight, cosines, sines) {
        ct_kernel_rotate_halves(x.raw, weight?.raw, epsilon, cosines.raw, sines.raw, $0)
    }
}

extension Tensor {
    /// A contiguous tensor of the shape and type of another, which a call fills.
    ///
    /// - Parameter operands: what the call reads.
    static func written(
        like x: Tensor, from operands: Tensor?..., by call: (ct_tensor) -> ct_status
    ) throws -> Tensor {
        let result = try Tensor.empty(x.shape, dtype: x.dtype, device: x.device)
        try withExtendedLifetime((operands, result)) { try check(call(result.raw)) }
        return result
    }
}

/// Heads of one stream, which the rotation normalizes first unless that is done.
public struct PreRotaryHeads {
    let values: Tensor
    /// What is left to be normalized by.
    let norm: RMSNorm?

    /// Normalizes at once, unless a kernel does it while it rotates.
    ///
    /// - Shapes: `values` [B, T, H, d].
    public init(_ values: Tensor, _ norm: RMSNorm) throws {
        let waits = Kernel.rotation.serves(values, nil)
        self.values = waits ? values : try norm(values)
        self.norm = waits ? norm : nil
    }

    /// Normalized.
    func normalized() throws -> Tensor { try norm?(values) ?? values }
}

extension RotaryTable {
    /// Rotates the heads of streams behind each other.
    ///
    /// - Shapes: [B, T, H, d] of several T → [B, the sum of T, H, d].
    public func callAsFunction(_ streams: [PreRotaryHeads]) throws -> Tensor {
        let weights = try streams.map { try $0.norm?.weight.value(like: $0.values) }
        guard zip(streams, weights).allSatisfy({ Kernel.rotation.serves($0.values, $1) }) else {
            let normed = try streams.map { try $0.normalized() }
            return try self(normed.count == 1 ? normed[0] : .concatenating(normed, along: 1))
        }
        var shape = streams[0].values.shape
        shape[1] = streams.reduce(0) { $0 + $1.values.size(1) }
        let result = try Tensor.empty(shape, dtype: .bfloat16, device: streams[0].values.device)
        var first = 0
        for (stream, weight) in zip(streams, weights) {
            let places = first..<first + stream.values.size(1)
            try rotate(
                stream.values, weight, epsilon: stream.norm?.epsilon ?? 0, places,
                into: result.slice(places, along: 1))
            first = places.upperBound
        }
        return result
    }
}
