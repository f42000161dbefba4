internal import CTorch

/// `x Wᵀ + b`.
///
/// - Shapes: `x` [..., in], `weight` [out, in], `bias` [out] → [..., out].
public func linear(_ x: Tensor, _ weight: Tensor, _ bias: Tensor? = nil) throws -> Tensor {
    try withExtendedLifetime((x, weight, bias)) {
        try Tensor.make { ct_linear(x.raw, weight.raw, bias?.raw, $0) }
    }
}

/// `x · sigmoid(x)`, element by element.
public func silu(_ x: Tensor) throws -> Tensor { try x.unary(ct_silu) }

/// Normalizes the last axis to mean 0 and variance 1, with 32-bit arithmetic inside.
public func layerNorm(_ x: Tensor, epsilon: Double) throws -> Tensor {
    try withExtendedLifetime(x) {
        try Tensor.make { ct_layer_norm(x.raw, Int64(x.size(-1)), nil, nil, epsilon, $0) }
    }
}

/// Scales the last axis to root mean square 1, then by `weight`, with 32-bit arithmetic inside.
public func rmsNorm(_ x: Tensor, weight: Tensor? = nil, epsilon: Double) throws -> Tensor {
    if let weight, Kernel.norm.serves(x, weight) {
        return try Tensor.written(like: x, from: x, weight) {
            ct_kernel_norm(x.raw, weight.raw, epsilon, $0)
        }
    }
    return try withExtendedLifetime((x, weight)) {
        try Tensor.make { ct_rms_norm(x.raw, Int64(x.size(-1)), weight?.raw, epsilon, $0) }
    }
}

/// Repeats every pixel `factor` times along both axes.
///
/// - Shapes: `x` [B, C, h, w] → [B, C, factor·h, factor·w].
public func upsampledByRepetition(_ x: Tensor, factor: Int) throws -> Tensor {
    try withExtendedLifetime(x) {
        try Tensor.make { ct_upsample_nearest2d(x.raw, Int64(factor), $0) }
    }
}

/// Convolution without bias or border.
///
/// - Shapes: `x` [B, Cin, h, w], `kernel` [Cout, Cin, kh, kw] → [B, Cout, h - kh + 1, w - kw + 1].
public func convolved(_ x: Tensor, _ kernel: Tensor) throws -> Tensor {
    try withExtendedLifetime((x, kernel)) {
        try Tensor.make { ct_conv2d(x.raw, kernel.raw, nil, 1, 0, $0) }
    }
}

/// The mean of the squared differences of all elements.
///
/// - Shapes: two equal ones → [].
public func meanSquaredError(_ x: Tensor, _ target: Tensor) throws -> Tensor {
    try x.binary(target, ct_mse_loss)
}
