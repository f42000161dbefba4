internal import Torch

/// Rows by the package's own kernels: borders are made with the rows, and an enlarged map is not made
/// at all. Kernels give a pixel the same value in whatever piece it is computed, as long as pieces begin
/// with an even row, since products are saved for two rows at a time.
extension LazyFeatureMap {
    func convolvedByKernels(_ convolution: Convolution, _ added: LazyFeatureMap?) -> LazyFeatureMap
    {
        let reach = convolution.padding
        return derived(channels: convolution.weight.shape[0]) { wanted, outputs in
            let needed = wanted.lowerBound - reach..<wanted.upperBound + reach
            let isReady = reach == 0 && channels % 2 == 0
            let input = try isReady ? rows(wanted) : rows(needed, left: reach, right: reach)
            return try convolution(bordered: input, adding: added?.rows(wanted))
                .slice(outputs, along: 1)
        }
    }

    func downsampledByKernels(_ convolution: Convolution) -> LazyFeatureMap {
        derived(
            channels: convolution.weight.shape[0], height: height / 2, width: width / 2
        ) { wanted, outputs in
            let needed = 2 * wanted.lowerBound..<2 * wanted.upperBound + 1
            return try convolution(bordered: rows(needed, left: 0, right: 1))
                .slice(outputs, along: 1)
        }
    }

    func upsampledByKernels(_ convolution: Convolution) -> LazyFeatureMap {
        derived(
            channels: convolution.weight.shape[0], height: 2 * height, width: 2 * width
        ) { wanted, outputs in
            let small = wanted.lowerBound / 2..<(wanted.upperBound + 1) / 2
            let needed = small.lowerBound - 1..<small.upperBound + 1
            let first = wanted.lowerBound - 2 * small.lowerBound
            return try convolution.upsampled(bordered: rows(needed, left: 1, right: 1))
                .slice(first..<first + wanted.count, along: 2).slice(outputs, along: 1)
        }
    }

    /// Everything is computed once for the sums, and again when it is asked for.
    func activatedByKernels(_ norm: GroupNorm) throws -> LazyFeatureMap {
        let sums = try Tensor.concatenating(
            pieces.map { try norm.rowSums(of: rows($0)) }, along: 1)
        return derived(
            edged: { try norm(rows($0), sums: sums, border: $1, activates: true) },
            part: { wanted, outputs in
                try norm(rows(wanted), sums: sums, border: .none, activates: true)
                    .slice(outputs, along: 1)
            })
    }
}
