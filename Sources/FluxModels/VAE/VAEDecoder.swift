internal import Torch

/// Latents to images.
///
/// - Source: `Decoder` of `AutoencoderKLFlux2`, diffusers.
struct VAEDecoder {
    private struct Level {
        let resnets: [ResnetBlock]
        let upsampler: Convolution?
    }

    private let input: Convolution
    private let middle: MiddleBlock
    private let levels: [Level]
    private let norm: GroupNorm
    private let output: Convolution

    init(_ scope: Scope, _ configuration: AutoencoderConfiguration) {
        let widths = Array(configuration.decoderWidths.reversed())
        input = Convolution(
            scope["conv_in"], from: configuration.latentChannels, to: widths[0], size: 3)
        middle = MiddleBlock(scope["mid_block"], channels: widths[0], configuration)
        levels = widths.indices.map { level in
            let place = scope["up_blocks"][level]
            let resnets = (0...configuration.resnetsPerLevel).map { resnet in
                let inputs = resnet == 0 ? widths[max(level - 1, 0)] : widths[level]
                return ResnetBlock(
                    place["resnets"][resnet], from: inputs, to: widths[level], configuration)
            }
            let upsampler =
                level == widths.count - 1
                ? nil
                : Convolution(
                    place["upsamplers"][0]["conv"], from: widths[level], to: widths[level],
                    size: 3)
            return Level(resnets: resnets, upsampler: upsampler)
        }
        let last = widths[widths.count - 1]
        norm = GroupNorm(scope["conv_norm_out"], channels: last, configuration)
        output = Convolution(scope["conv_out"], from: last, to: 3, size: 3)
    }

    /// - Shapes: `z` [B, C, h, w] → [B, 3, 8h, 8w].
    func callAsFunction(_ z: Tensor, observe: Observer) throws -> Tensor {
        var hidden = try input(z)
        try observe("decoder.conv_in", hidden)
        hidden = try middle(hidden)
        try observe("decoder.mid_block", hidden)
        for (index, level) in levels.enumerated() {
            for (resnet, residual) in level.resnets.enumerated() {
                hidden = try residual(hidden)
                try observe("decoder.up_blocks.\(index).resnets.\(resnet)", hidden)
            }
            if let upsampler = level.upsampler {
                hidden = try upsampler.upsampled(hidden)
            }
            try observe("decoder.up_blocks.\(index)", hidden)
        }
        return try output(hidden, activatedBy: norm).contiguous()
    }

    /// The same strip by strip; see ``Strips``.
    func callAsFunction(_ z: Tensor, by strips: Strips, observe: Observer) throws -> Tensor {
        let inner = try middle(input(z))
        try observe("decoder.mid_block", inner)
        var hidden = LazyFeatureMap(inner, strips)
        for (index, level) in levels.enumerated() {
            for (resnet, residual) in level.resnets.enumerated() {
                // The innermost level keeps the memory order of attention, by which kernels round.
                let output =
                    index == 0 ? try residual(hidden.materialized()) : try residual(hidden, strips)
                try observe("decoder.up_blocks.\(index).resnets.\(resnet)", output)
                hidden = LazyFeatureMap(output, strips)
            }
            if let upsampler = level.upsampler {
                hidden = try hidden.upsampled(upsampler).materializedIfSmall()
            }
        }
        return try hidden.activated(norm).convolved(output).materialized().contiguous()
    }
}
