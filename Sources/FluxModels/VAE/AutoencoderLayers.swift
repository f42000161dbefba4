internal import Torch

/// Two normalized convolutions beside a shortcut.
///
/// - Shapes: `x` [B, Cin, h, w] → [B, Cout, h, w].
struct ResnetBlock {
    let norm1, norm2: GroupNorm
    let conv1, conv2: Convolution
    let shortcut: Convolution?

    init(
        _ scope: Scope, from inputs: Int, to outputs: Int,
        _ configuration: AutoencoderConfiguration, savesProducts: Bool = true
    ) {
        func convolution(_ scope: Scope, from inputs: Int) -> Convolution {
            Convolution(scope, from: inputs, to: outputs, size: 3, savesProducts: savesProducts)
        }
        norm1 = GroupNorm(scope["norm1"], channels: inputs, configuration)
        conv1 = convolution(scope["conv1"], from: inputs)
        norm2 = GroupNorm(scope["norm2"], channels: outputs, configuration)
        conv2 = convolution(scope["conv2"], from: outputs)
        shortcut =
            inputs == outputs
            ? nil : Convolution(scope["conv_shortcut"], from: inputs, to: outputs, size: 1)
    }

    func callAsFunction(_ x: Tensor) throws -> Tensor {
        if hasKernels(for: x) {
            return try conv2(
                bordered: norm2(
                    conv1(bordered: norm1(x, border: Border(1), activates: true)),
                    border: Border(1), activates: true),
                adding: shortcut?(x) ?? x)
        }
        let hidden = try conv2(silu(norm2(conv1(silu(norm1(x))))))
        return try (shortcut?(x) ?? x) + hidden
    }
}

extension ResnetBlock {
    /// Whether the package's own kernels compute it.
    func hasKernels(for x: Tensor) -> Bool {
        norm1.hasKernel(for: x) && conv1.hasKernel(for: x) && norm2.hasKernel(for: x)
            && conv2.hasKernel(for: x) && shortcut?.hasKernel(for: x) ?? true
    }
}

extension Convolution {
    /// The convolution of what a norm and SiLU make of a map.
    func callAsFunction(_ x: Tensor, activatedBy norm: GroupNorm) throws -> Tensor {
        guard norm.hasKernel(for: x), hasKernel(for: x) else { return try self(silu(norm(x))) }
        return try self(bordered: norm(x, border: Border(padding), activates: true))
    }

    /// The convolution of a map with each pixel repeated twice along both axes.
    ///
    /// - Shapes: `x` [B, C, h, w] → [B, C', 2h, 2w].
    func upsampled(_ x: Tensor) throws -> Tensor {
        guard hasKernel(for: x) else { return try self(upsampledByRepetition(x, factor: 2)) }
        return try upsampled(bordered: x.bordered(Border(1)))
    }

    /// A convolution with stride 2; the border is added at the right and the bottom only.
    ///
    /// - Shapes: `x` [B, C, h, w] → [B, C', h/2, w/2].
    func downsampled(_ x: Tensor) throws -> Tensor {
        guard hasKernel(for: x) else { return try self(x.padded([0, 1, 0, 1])) }
        return try self(bordered: x.bordered(Border(bottom: 1, right: 1)))
    }
}

extension GroupNorm {
    init(_ scope: Scope, channels: Int, _ configuration: AutoencoderConfiguration) {
        self.init(
            scope, channels: channels, groups: configuration.normGroups,
            epsilon: configuration.normEpsilon)
    }
}

/// Attention of every place of the image to every other, with one head.
///
/// - Shapes: `x` [B, C, h, w] → the same.
struct SpatialAttention {
    private let norm: GroupNorm
    private let q, k, v, out: Linear

    init(_ scope: Scope, channels: Int, _ configuration: AutoencoderConfiguration) {
        norm = GroupNorm(scope["group_norm"], channels: channels, configuration)
        q = Linear(scope["to_q"], from: channels, to: channels, bias: true)
        k = Linear(scope["to_k"], from: channels, to: channels, bias: true)
        v = Linear(scope["to_v"], from: channels, to: channels, bias: true)
        out = Linear(scope["to_out"][0], from: channels, to: channels, bias: true)
    }

    func callAsFunction(_ x: Tensor) throws -> Tensor {
        let shape = x.shape
        let tokens = try norm(x).reshaped([shape[0], shape[1], -1]).transposed(1, 2)
        let attended = try chunkedAttention(
            q(tokens).unsqueezed(1), k(tokens).unsqueezed(1), v(tokens).unsqueezed(1))
        let result = try out(attended.squeezed(1)).transposed(1, 2).reshaped(shape)
        // Channels now lie side by side, which gradients of group norms take twice as long on.
        return try (result.requiresGradient ? result.contiguous() : result) + x
    }
}

extension SpatialAttention {
    /// Attention some queries at a time: for a head this wide, libtorch has no kernel that does
    /// without the whole attention matrix.
    ///
    /// - Shapes: [B, 1, T, C] each → the same.
    private func chunkedAttention(_ q: Tensor, _ k: Tensor, _ v: Tensor) throws -> Tensor {
        if hasAttentionKernel(for: q, k, v) { return try attention(q, k, v) }
        let count = q.size(2)
        let rows = max(1024, (64 << 20) / count)
        let parts = try stride(from: 0, to: count, by: rows).map { first in
            try attention(q.slice(first..<min(first + rows, count), along: 2), k, v)
        }
        return parts.count == 1 ? parts[0] : try .concatenating(parts, along: 2)
    }
}

/// The innermost part of encoder and decoder. It is small, and what it rounds goes through all that the
/// decoder does, so it does not save products.
struct MiddleBlock {
    private let first, second: ResnetBlock
    private let attention: SpatialAttention

    init(_ scope: Scope, channels: Int, _ configuration: AutoencoderConfiguration) {
        func resnet(_ scope: Scope) -> ResnetBlock {
            ResnetBlock(
                scope, from: channels, to: channels, configuration, savesProducts: false)
        }
        first = resnet(scope["resnets"][0])
        attention = SpatialAttention(scope["attentions"][0], channels: channels, configuration)
        second = resnet(scope["resnets"][1])
    }

    func callAsFunction(_ x: Tensor) throws -> Tensor { try second(attention(first(x))) }
}
