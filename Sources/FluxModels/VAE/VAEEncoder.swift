internal import Torch

/// Images to the mean and log-variance of their latents.
///
/// - Source: `Encoder` of `AutoencoderKLFlux2`, diffusers.
struct VAEEncoder {
    private struct Level {
        let resnets: [ResnetBlock]
        let downsampler: Convolution?
    }

    private let input: Convolution
    private let levels: [Level]
    private let middle: MiddleBlock
    private let norm: GroupNorm
    private let output: Convolution

    init(_ scope: Scope, _ configuration: AutoencoderConfiguration) {
        let widths = configuration.encoderWidths
        let last = widths[widths.count - 1]
        input = Convolution(scope["conv_in"], from: 3, to: widths[0], size: 3)
        levels = widths.indices.map { level in
            let place = scope["down_blocks"][level]
            let resnets = (0..<configuration.resnetsPerLevel).map { resnet in
                let inputs = resnet == 0 ? widths[max(level - 1, 0)] : widths[level]
                return ResnetBlock(
                    place["resnets"][resnet], from: inputs, to: widths[level], configuration)
            }
            let downsampler =
                level == widths.count - 1
                ? nil
                : Convolution(
                    place["downsamplers"][0]["conv"], from: widths[level], to: widths[level],
                    size: 3, stride: 2, padding: 0)
            return Level(resnets: resnets, downsampler: downsampler)
        }
        middle = MiddleBlock(scope["mid_block"], channels: last, configuration)
        norm = GroupNorm(scope["conv_norm_out"], channels: last, configuration)
        output = Convolution(
            scope["conv_out"], from: last, to: 2 * configuration.latentChannels, size: 3)
    }

    /// - Shapes: `x` [B, 3, H, W] → [B, 2C, H/8, W/8].
    func callAsFunction(_ x: Tensor, observe: Observer) throws -> Tensor {
        var hidden = try input(x)
        try observe("encoder.conv_in", hidden)
        for (index, level) in levels.enumerated() {
            for (resnet, residual) in level.resnets.enumerated() {
                hidden = try residual(hidden)
                try observe("encoder.down_blocks.\(index).resnets.\(resnet)", hidden)
            }
            if let downsampler = level.downsampler {
                hidden = try downsampler.downsampled(hidden)
            }
            try observe("encoder.down_blocks.\(index)", hidden)
        }
        hidden = try middle(hidden)
        try observe("encoder.mid_block", hidden)
        return try output(hidden, activatedBy: norm).contiguous()
    }

    /// The same strip by strip; see ``Strips``.
    func callAsFunction(_ x: Tensor, by strips: Strips, observe: Observer) throws -> Tensor {
        var hidden = LazyFeatureMap(
            try LazyFeatureMap(x, strips).convolved(input).materialized(), strips)
        for (index, level) in levels.enumerated() {
            for (resnet, residual) in level.resnets.enumerated() {
                let output = try residual(hidden, strips)
                try observe("encoder.down_blocks.\(index).resnets.\(resnet)", output)
                hidden = LazyFeatureMap(output, strips)
            }
            if let downsampler = level.downsampler {
                hidden = LazyFeatureMap(try hidden.downsampled(downsampler).materialized(), strips)
            }
        }
        let inner = try middle(hidden.materialized())
        try observe("encoder.mid_block", inner)
        return try LazyFeatureMap(inner, strips).activated(norm).convolved(output).materialized()
            .contiguous()
    }
}
