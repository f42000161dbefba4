internal import CTorch

/// `x Wᵀ + b`, plus the weight's adapters.
///
/// - Shapes: `x` [..., in] → [..., out].
public struct Linear {
    /// [out, in].
    public let weight: Parameter
    /// [out], where there is one.
    public let bias: Parameter?

    /// Declares `weight`, and `bias` on request, under a scope.
    public init(_ scope: Scope, from inputs: Int, to outputs: Int, bias: Bool = false) {
        weight = scope.parameter("weight", [outputs, inputs])
        self.bias = bias ? scope.parameter("bias", [outputs]) : nil
    }

    /// Computes in the type and on the device of `x`.
    ///
    /// - Shapes: `x` [..., in] → [..., out].
    /// - Throws: `ParameterError` when nothing is loaded; `TorchError`.
    public func callAsFunction(_ x: Tensor) throws -> Tensor {
        let y = try product(x)
        return try weight.adapters.reduce(y) { sum, adapter in
            try sum + adapter.addition(to: y, of: x) { try weight.value(like: x) }
        }
    }

    private func product(_ x: Tensor) throws -> Tensor {
        guard bias == nil, isRecorded, x.requiresGradient, !weight.isResident(like: x) else {
            return try Torch.product(of: x, with: weight.stored(), bias?.value(like: x))
        }
        return try frozenLinear(x, weight)
    }
}

/// A row of the table for every id.
///
/// - Shapes: `ids` [...] of int64 → [..., width].
public struct Embedding {
    /// The table, [count, width].
    public let weight: Parameter

    /// Declares `weight` under a scope.
    public init(_ scope: Scope, count: Int, width: Int) {
        weight = scope.parameter("weight", [count, width])
    }

    /// Picks rows first and converts only those.
    public func callAsFunction(_ ids: Tensor, dtype: DType) throws -> Tensor {
        // Bytes can be picked whatever they mean; the rest of libtorch knows no 8-bit floats.
        func pick(_ table: Tensor) throws -> Tensor {
            let table = table.dtype.byteCount == 1 ? try table.bitcast(to: .uint8) : table
            let places = try ids.reshaped([-1]).to(device: table.device)
            return try withExtendedLifetime((table, places)) {
                try Tensor.make { ct_embedding(table.raw, places.raw, $0) }
            }
        }
        let stored = try weight.stored()
        let picked = try stored.replacing(
            stored.tensors.map { tensor in
                guard tensor.rank == 2, tensor.size(0) == weight.shape[0] else { return tensor }
                return try pick(tensor).bitcast(to: tensor.dtype)
            })
        return try picked.value(dtype: dtype, device: ids.device).copy()
            .reshaped(ids.shape + [weight.shape[1]])
    }
}

/// Scales the last axis to root mean square 1, then by a weight.
public struct RMSNorm {
    /// [width].
    public let weight: Parameter
    /// Added to the mean square.
    public let epsilon: Double

    /// Declares `weight` under a scope.
    public init(_ scope: Scope, width: Int, epsilon: Double) {
        weight = scope.parameter("weight", [width])
        self.epsilon = epsilon
    }

    /// Scales in the type of `x`, with 32-bit arithmetic inside.
    ///
    /// - Shapes: `x` [..., width] → the same.
    /// - Throws: `ParameterError` when nothing is loaded; `TorchError`.
    public func callAsFunction(_ x: Tensor) throws -> Tensor {
        var weight = try weight.value(like: x)
        // Gradients need the weight after its place may have been given to another.
        if isRecorded, !self.weight.isResident(like: x) { weight = try weight.copy() }
        return try rmsNorm(x, weight: weight, epsilon: epsilon)
    }
}

/// Normalizes groups of channels over the whole image.
///
/// - Shapes: `x` [B, C, h, w] → the same.
public struct GroupNorm {
    /// Multiplies each channel, [C].
    public let weight: Parameter
    /// Is added to each channel, [C].
    public let bias: Parameter
    /// Groups that share mean and variance; they divide the channels.
    public let groups: Int
    /// Added to the variance.
    public let epsilon: Double

    /// Declares `weight` and `bias` under a scope.
    public init(_ scope: Scope, channels: Int, groups: Int, epsilon: Double) {
        weight = scope.parameter("weight", [channels])
        bias = scope.parameter("bias", [channels])
        self.groups = groups
        self.epsilon = epsilon
    }

    /// Normalizes each image by itself.
    ///
    /// - Shapes: `x` [B, C, h, w] → the same.
    /// - Throws: `ParameterError` when nothing is loaded; `TorchError`.
    public func callAsFunction(_ x: Tensor) throws -> Tensor {
        if hasKernel(for: x) { return try self(x, border: .none, activates: false) }
        let (weight, bias) = try (weight.value(like: x), bias.value(like: x))
        return try withExtendedLifetime((x, weight, bias)) {
            try Tensor.make {
                ct_group_norm(x.raw, Int64(groups), weight.raw, bias.raw, epsilon, $0)
            }
        }
    }
}

extension GroupNorm {
    /// Mean and 1/√(variance + ε) of each group, as normalization takes them.
    ///
    /// - Shapes: `x` [1, C, h, w], whose channels are so many of the groups → [groups] of float32.
    public func moments(
        of x: Tensor, groups: Int
    ) throws -> (mean: Tensor, inverseDeviation: Tensor) {
        let both = try withExtendedLifetime(x) {
            try Tensor.make { ct_group_moments(x.raw, Int64(groups), epsilon, $0) }
        }
        let rows = try both.reshaped([2, groups])
        return try (rows.selecting(0, along: 0), rows.selecting(1, along: 0))
    }
}

/// A two-dimensional convolution with bias.
///
/// - Shapes: `x` [B, Cin, h, w] → [B, Cout, h', w'].
public struct Convolution {
    /// The kernels, [Cout, Cin, size, size].
    public let weight: Parameter
    /// Is added to each channel, [Cout].
    public let bias: Parameter
    /// Pixels from one place of a kernel to the next, along both axes.
    public let stride: Int
    /// Zeros added at each border, in pixels.
    public let padding: Int
    /// Whether kernels may take fewer products, of rounded sums.
    public let savesProducts: Bool

    /// Declares `weight` and `bias` under a scope.
    ///
    /// - Parameters:
    ///   - size: the side of the kernels.
    ///   - padding: nil is half of `size`, which keeps the image's size at stride 1.
    ///   - savesProducts: whether kernels may take fewer products, of rounded sums.
    public init(
        _ scope: Scope, from inputs: Int, to outputs: Int, size: Int, stride: Int = 1,
        padding: Int? = nil, savesProducts: Bool = true
    ) {
        weight = scope.parameter("weight", [outputs, inputs, size, size])
        bias = scope.parameter("bias", [outputs])
        self.stride = stride
        self.padding = padding ?? size / 2
        self.savesProducts = savesProducts
    }

    /// All output channels.
    ///
    /// - Shapes: `x` [B, Cin, h, w] → [B, Cout, h', w'].
    /// - Throws: `ParameterError` when nothing is loaded; `TorchError`.
    public func callAsFunction(_ x: Tensor) throws -> Tensor {
        guard hasKernel(for: x) else { return try self(x, outputs: 0..<weight.shape[0]) }
        let isReady = padding == 0 && x.size(1) % 2 == 0
        return try self(bordered: isReady ? x : x.bordered(Border(padding)))
    }

    /// Only some of the output channels, by libtorch.
    public func callAsFunction(_ x: Tensor, outputs: Range<Int>) throws -> Tensor {
        let weight = try weight.value(like: x).slice(outputs, along: 0)
        let bias = try bias.value(like: x).slice(outputs, along: 0)
        return try withExtendedLifetime((x, weight, bias)) {
            try Tensor.make {
                ct_conv2d(x.raw, weight.raw, bias.raw, Int64(stride), Int64(padding), $0)
            }
        }
    }
}
