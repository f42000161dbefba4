internal import Torch

/// Pictures to the mean and log-variance of their latents.
///
/// - Source: `Encoder` of `AutoencoderKLFlux2`, diffusers.
struct PictureEncoder {
    private struct Level {
        let units: [ResidualUnit]
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
            let units = (0..<configuration.unitsPerLevel).map { unit in
                let inputs = unit == 0 ? widths[max(level - 1, 0)] : widths[level]
                return ResidualUnit(
                    place["resnets"][unit], from: inputs, to: widths[level], configuration)
            }
            let downsampler =
                level == widths.count - 1
                ? nil
                : Convolution(
                    place["downsamplers"][0]["conv"], from: widths[level], to: widths[level],
                    size: 3, stride: 2, padding: 0)
            return Level(units: units, downsampler: downsampler)
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
            for (unit, residual) in level.units.enumerated() {
                hidden = try residual(hidden)
                try observe("encoder.down_blocks.\(index).resnets.\(unit)", hidden)
            }
            if let downsampler = level.downsampler {
                hidden = try downsampler.reducing(hidden)
            }
            try observe("encoder.down_blocks.\(index)", hidden)
        }
        hidden = try middle(hidden)
        try observe("encoder.mid_block", hidden)
        return try output(hidden, activatedBy: norm).contiguous()
    }

    /// The same strip by strip; see ``Strips``.
    func callAsFunction(_ x: Tensor, by strips: Strips, observe: Observer) throws -> Tensor {
        var hidden = RowMap(try RowMap(x, strips).convolved(input).stored(), strips)
        for (index, level) in levels.enumerated() {
            for (unit, residual) in level.units.enumerated() {
                let output = try residual(hidden, strips)
                try observe("encoder.down_blocks.\(index).resnets.\(unit)", output)
                hidden = RowMap(output, strips)
            }
            if let downsampler = level.downsampler {
                hidden = RowMap(try hidden.downsampled(downsampler).stored(), strips)
            }
        }
        let inner = try middle(hidden.stored())
        try observe("encoder.mid_block", inner)
        return try RowMap(inner, strips).activated(norm).convolved(output).stored().contiguous()
    }
}
