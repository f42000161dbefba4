internal import Torch

/// A feature map that is computed some rows at a time, when they are asked for.
///
/// Chains of these hold a few strips of rows at once instead of whole maps. What is asked for twice
/// is computed twice, so maps that many others need are stored.
struct RowMap {
    let channels: Int
    let height: Int
    let width: Int
    /// - Shapes: → [B, channels, rows, width].
    let rows: (Range<Int>) throws -> Tensor

    /// The bytes that a strip of rows may take up, counted in 16-bit types.
    let stripBytes: Int

    private init(
        channels: Int, height: Int, width: Int, stripBytes: Int,
        rows: @escaping (Range<Int>) throws -> Tensor
    ) {
        self.channels = channels
        self.height = height
        self.width = width
        self.stripBytes = stripBytes
        self.rows = rows
    }

    /// - Shapes: `map` [B, C, h, w].
    init(_ map: Tensor, _ strips: Strips) {
        self.init(map, stripBytes: strips.stripBytes)
    }

    private init(_ map: Tensor, stripBytes: Int) {
        self.init(
            channels: map.size(1), height: map.size(2), width: map.size(3),
            stripBytes: stripBytes
        ) { try map.slice($0, along: 2) }
    }

    /// A map that is made from this one.
    private func derived(
        channels: Int? = nil, height: Int? = nil, width: Int? = nil,
        rows: @escaping (Range<Int>) throws -> Tensor
    ) -> RowMap {
        RowMap(
            channels: channels ?? self.channels, height: height ?? self.height,
            width: width ?? self.width, stripBytes: stripBytes, rows: rows)
    }

    /// Strips that cover all rows.
    var strips: [Range<Int>] {
        let count = max(1, stripBytes / (2 * channels * width))
        return stride(from: 0, to: height, by: count).map { $0..<min($0 + count, height) }
    }

    /// Computes everything and keeps it.
    ///
    /// - Shapes: → [B, C, h, w].
    func stored() throws -> Tensor {
        var whole: Tensor?
        for strip in strips {
            let part = try rows(strip)
            let target =
                try whole
                ?? .empty(
                    [part.size(0), channels, height, width], dtype: part.dtype, device: part.device)
            try target.slice(strip, along: 2).assign(part)
            whole = target
        }
        guard let whole else { preconditionFailure("a map of no rows") }
        return whole
    }

    /// The map, stored if it takes up at most so many bytes in 16-bit types.
    func stored(upTo bytes: Int) throws -> RowMap {
        2 * channels * height * width <= bytes ? RowMap(try stored(), stripBytes: stripBytes) : self
    }
}

extension RowMap {
    static func + (a: RowMap, b: RowMap) -> RowMap {
        a.derived { try a.rows($0) + b.rows($0) }
    }

    /// A convolution that keeps the size: neighbouring rows are computed with it and cut off.
    func convolved(_ convolution: Convolution) -> RowMap {
        let reach = convolution.padding
        return derived(channels: convolution.weight.shape[0]) { wanted in
            let needed = max(wanted.lowerBound - reach, 0)..<min(wanted.upperBound + reach, height)
            let first = wanted.lowerBound - needed.lowerBound
            return try convolution(rows(needed)).slice(first..<first + wanted.count, along: 2)
        }
    }

    /// A convolution with stride 2 and a border at the right and the bottom.
    func downsampled(_ convolution: Convolution) -> RowMap {
        derived(
            channels: convolution.weight.shape[0], height: height / 2, width: width / 2
        ) { wanted in
            let end = 2 * wanted.upperBound + 1
            let needed = try rows(2 * wanted.lowerBound..<min(end, height))
            return try convolution(needed.padded([0, 1, 0, max(end - height, 0)]))
        }
    }

    /// Every pixel twice along both axes.
    func upsampled() -> RowMap {
        derived(height: 2 * height, width: 2 * width) { wanted in
            let needed = wanted.lowerBound / 2..<(wanted.upperBound + 1) / 2
            let first = wanted.lowerBound - 2 * needed.lowerBound
            return try upsampledByRepetition(rows(needed), factor: 2)
                .slice(first..<first + wanted.count, along: 2)
        }
    }

    /// Group normalisation by the statistics of the whole map, then SiLU.
    ///
    /// Everything is computed once for the statistics, and again when it is asked for.
    func activated(_ norm: GroupNorm) throws -> RowMap {
        let (mean, deviation) = try moments(groups: norm.groups, epsilon: norm.epsilon)
        let perGroup = channels / norm.groups
        func spread(_ values: [Double]) throws -> Tensor {
            try .from(values.flatMap { Array(repeating: Float($0), count: perGroup) })
        }
        let scale = try norm.weight.value(like: spread(deviation)) / spread(deviation)
        let shift = try norm.bias.value(like: scale) - spread(mean) * scale
        let shape = [1, channels, 1, 1]
        let (factors, offsets) = try (scale.reshaped(shape), shift.reshaped(shape))
        return derived { wanted in
            let x = try rows(wanted)
            let normed =
                try x.to(dtype: .float32) * factors.to(device: x.device)
                + offsets.to(device: x.device)
            return try silu(normed.to(dtype: x.dtype))
        }
    }

    /// Mean and standard deviation of each group over the whole map.
    private func moments(
        groups: Int, epsilon: Double
    ) throws -> (mean: [Double], deviation: [Double]) {
        var (mean, squares) = (
            [Double](repeating: 0, count: groups), [Double](repeating: 0, count: groups)
        )
        var seen = 0.0
        for strip in strips {
            let x = try rows(strip).to(dtype: .float32).reshaped([groups, -1])
            let part = try x.mean(along: [1], keepingAxes: true)
            let spread: [Float] = try (x - part).square().sum(along: [1]).values()
            let means: [Float] = try part.reshaped([-1]).values()
            let count = Double(x.size(1))
            // The moments of two sets together, by Chan, Golub and LeVeque.
            for group in 0..<groups {
                let distance = Double(means[group]) - mean[group]
                mean[group] += distance * count / (seen + count)
                squares[group] +=
                    Double(spread[group]) + distance * distance * seen * count / (seen + count)
            }
            seen += count
        }
        return (mean, squares.map { ($0 / seen + epsilon).squareRoot() })
    }
}
