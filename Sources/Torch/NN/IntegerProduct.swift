internal import CTorch

extension QuantizedTensor {
    /// Whether weights of ``QuantizationFormat/int8Rotated`` are multiplied as integers by this thread where
    /// something is computed, and no gradients are recorded.
    public static func areMultipliedAsIntegers(on device: Device, in dtype: DType) -> Bool {
        device.kind == .cpu && Kernel.int8.isUsed && [.bfloat16, .float32].contains(dtype)
    }

    /// `x Wᵀ` in 8-bit integers; nil where that is not how it is computed.
    ///
    /// Rows of `x` are rotated as those of the weight are, which leaves products what they are, and
    /// become integers with a scale each. Sums are exact and do not depend on the number of threads.
    ///
    /// - Shapes: `x` [..., in] → [..., out].
    func integerProduct(with x: Tensor) throws -> Tensor? {
        guard isRotated, let scale, Kernel.int8.serves(x, values) else { return nil }
        let result = try Tensor.empty(
            x.shape.dropLast() + [values.size(0)], dtype: x.dtype, device: x.device)
        try withExtendedLifetime((x, values, scale, result)) {
            try check(ct_kernel_int8(x.raw, values.raw, scale.raw, result.raw))
        }
        return result
    }

    /// What the product of normal random numbers with this loses against one with the weight that it
    /// was made of: differences, and results.
    ///
    /// It is computed as this thread computes such products of `bfloat16`.
    public func outputLoss(from weight: Tensor) throws -> QuantizationLoss {
        let rows = weight.size(0)
        let width = weight.count / max(1, rows)
        let inputs = try Tensor.randn([32, width], generator: Generator(seed: 1))
            .to(dtype: .bfloat16)
        let exactInputs = try inputs.to(dtype: .float32)
        // Some rows at a time: all of a weight in float32 might not fit into memory.
        let step = max(64, (1 << 22) / max(1, width))
        var error = QuantizationLoss()
        for start in stride(from: 0, to: rows, by: step) {
            let range = start..<min(rows, start + step)
            let part = try StoredWeight.quantized(self).rows([range])
            let exact = try linear(
                exactInputs, weight.slice(range, along: 0).to(dtype: .float32))
            let found = try product(of: inputs, with: part).to(dtype: .float32)
            error.difference += try (found - exact).square().sum().item()
            error.weight += try exact.square().sum().item()
        }
        return error
    }
}

/// `x Wᵀ` with a weight however it is kept.
///
/// - Shapes: `x` [..., in] → [..., out].
func product(of x: Tensor, with weight: StoredWeight, _ bias: Tensor? = nil) throws -> Tensor {
    if bias == nil, case .quantized(let quantized) = weight,
        let result = try quantized.integerProduct(with: x)
    {
        return result
    }
    return try linear(x, weight.value(dtype: x.dtype, device: x.device), bias)
}
