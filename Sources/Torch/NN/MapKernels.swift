internal import CTorch

/// Zeros around a map, in pixels.
public struct Border: Hashable, Sendable {
    /// Rows before the first.
    public var top: Int
    /// Rows after the last.
    public var bottom: Int
    /// Pixels before each row.
    public var left: Int
    /// Pixels after each row.
    public var right: Int

    /// The same on all sides unless told otherwise.
    public init(
        _ all: Int = 0, top: Int? = nil, bottom: Int? = nil, left: Int? = nil, right: Int? = nil
    ) {
        self.top = top ?? all
        self.bottom = bottom ?? all
        self.left = left ?? all
        self.right = right ?? all
    }

    /// No border.
    public static let none = Border(0)

    fileprivate func withSides<R>(_ body: (UnsafePointer<Int64>) throws -> R) rethrows -> R {
        let sides = [top, bottom, left, right].map(Int64.init)
        return try sides.withUnsafeBufferPointer { buffer in
            guard let first = buffer.baseAddress else { preconditionFailure("four sides") }
            return try body(first)
        }
    }
}

extension Tensor {
    /// Whether there are kernels for this map, as far as it decides that.
    public var isMapForKernels: Bool { Kernel.convolution.serves(self) }

    /// A map with zeros around it, its channels innermost in memory and even in number, as kernels
    /// take it.
    ///
    /// - Shapes: [B, C, h, w] of `bfloat16` → [B, C or C + 1, top + h + bottom, left + w + right].
    /// - Throws: `TorchError` where there are no kernels or this is no such map.
    public func bordered(_ border: Border) throws -> Tensor {
        try border.withSides { sides in
            try withExtendedLifetime(self) { try .make { ct_bordered(raw, sides, $0) } }
        }
    }
}

extension GroupNorm {
    /// Whether the package's own kernels compute the norm of `x`.
    public func hasKernel(for x: Tensor) -> Bool {
        Kernel.groupNorm.serves(x) && weight.shape[0] % 2 == 0 && !isRecorded(weight, bias)
    }

    /// The sums that mean and variance follow from, row by row; those of a map are those of its parts
    /// one after the other.
    ///
    /// - Shapes: `x` [B, C, h, w] of `bfloat16` → [B, h, groups, 2] of `float64`.
    /// - Throws: `TorchError` where there are no kernels.
    public func rowSums(of x: Tensor) throws -> Tensor {
        try withExtendedLifetime(x) { try .make { ct_group_sums(x.raw, Int64(groups), $0) } }
    }

    /// Normalizes by kernels, rounding once.
    ///
    /// - Parameters:
    ///   - sums: those of the whole map that `x` is a part of; nil where it is the whole.
    ///   - border: zeros around the result.
    ///   - activates: whether SiLU follows.
    /// - Shapes: `x` [B, C, h, w] of `bfloat16` → the same with a border.
    /// - Throws: `ParameterError` when nothing is loaded; `TorchError` where there are no kernels.
    public func callAsFunction(
        _ x: Tensor, sums: Tensor? = nil, border: Border, activates: Bool
    ) throws -> Tensor {
        let sums = try sums ?? rowSums(of: x)
        let (weight, bias) = try (weight.value(like: x), bias.value(like: x))
        return try border.withSides { sides in
            try withExtendedLifetime((x, sums, weight, bias)) {
                try Tensor.make {
                    ct_normed_bordered(
                        x.raw, sums.raw, weight.raw, bias.raw, epsilon, activates, sides, $0)
                }
            }
        }
    }
}

extension Convolution {
    /// Whether the package's own kernels compute the convolution of `x`.
    public func hasKernel(for x: Tensor) -> Bool {
        Kernel.convolution.serves(x) && !isRecorded(weight, bias)
    }

    /// Whether kernels take fewer products for so many channels, where ``Kernel/winograd`` is allowed.
    public static func isWorthSavingProducts(from inputs: Int, to outputs: Int) -> Bool {
        ct_worth_saving_products(Int64(outputs), Int64(inputs))
    }

    /// Convolves by kernels a map that has its border, rounding once.
    ///
    /// A kernel of 3x3 with stride 1 takes fewer products of rounded sums where the layer and
    /// ``Kernel/winograd`` allow it.
    ///
    /// - Parameter added: is added to the result.
    /// - Shapes: `x` [B, Cin, h, w] of `bfloat16`, an odd Cin with a channel of zeros more;
    ///   `added` and the result [B, Cout, (h - size) / stride + 1, (w - size) / stride + 1].
    /// - Throws: `ParameterError` when nothing is loaded; `TorchError` where there are no kernels.
    public func callAsFunction(bordered x: Tensor, adding added: Tensor? = nil) throws -> Tensor {
        let (weight, bias) = try (weight.value(like: x), bias.value(like: x))
        let saves =
            savesProducts && weight.size(2) == 3 && stride == 1
            && Kernel.winograd.serves(x, weight)
        return try withExtendedLifetime((x, weight, bias, added)) {
            try Tensor.make {
                ct_conv2d_bordered(
                    x.raw, weight.raw, bias.raw, added?.raw, Int64(stride), saves, $0)
            }
        }
    }

    /// Convolves a map with each pixel repeated twice along both axes, by kernels and without making
    /// the large map: by products of differences of neighbors where ``savesProducts`` and
    /// ``Kernel/winograd`` allow it, else by sums of weights with 2x2 pixels of the small one.
    ///
    /// - Shapes: `x` [B, Cin, h + 2, w + 2] of `bfloat16` with a border of 1 → [B, Cout, 2h, 2w].
    /// - Throws: `ParameterError` when nothing is loaded; `TorchError` where there are no kernels.
    public func upsampled(bordered x: Tensor) throws -> Tensor {
        precondition(weight.shape[2] == 3 && stride == 1, "enlarging is for 3x3 with stride 1")
        let (weight, bias) = try (weight.value(like: x), bias.value(like: x))
        let saves = savesProducts && Kernel.winograd.serves(x, weight)
        return try withExtendedLifetime((x, weight, bias)) {
            try Tensor.make { ct_conv2d_upsampling(x.raw, weight.raw, bias.raw, saves, $0) }
        }
    }
}

/// Whether what is computed with these parameters is recorded for their gradients.
private func isRecorded(_ parameters: Parameter...) -> Bool {
    Torch.isRecorded && parameters.contains { $0.requiresGradient }
}
