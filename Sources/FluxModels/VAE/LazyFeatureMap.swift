internal import Torch

/// A feature map of one image that is computed some rows at a time, when they are asked for.
///
/// Chains of these hold a few strips of rows at once instead of whole maps. What is asked for twice
/// is computed twice, so maps that others need often are stored. Every value is the one that the
/// whole map would have, bit for bit.
struct LazyFeatureMap {
    let channels: Int
    let height: Int
    let width: Int
    private let strips: Strips
    /// The most channels that a row has on its way from what is stored.
    private let widest: Int
    private let isMaterialized: Bool
    /// The stored map that everything is made from; it tells what there are kernels for.
    let origin: Tensor
    /// - Shapes: (rows, channels) → [1, channels, rows, width].
    private let part: (Range<Int>, Range<Int>) throws -> Tensor
    /// Rows with a border, where it is made with them at no cost.
    private var edged: ((Range<Int>, Border) throws -> Tensor)?

    private init(
        channels: Int, height: Int, width: Int, widest: Int, isMaterialized: Bool, _ strips: Strips,
        origin: Tensor, part: @escaping (Range<Int>, Range<Int>) throws -> Tensor
    ) {
        self.channels = channels
        self.height = height
        self.width = width
        self.widest = widest
        self.isMaterialized = isMaterialized
        self.strips = strips
        self.origin = origin
        self.part = part
    }

    /// - Shapes: `map` [1, C, h, w].
    init(_ map: Tensor, _ strips: Strips) {
        self.init(
            channels: map.size(1), height: map.size(2), width: map.size(3), widest: map.size(1),
            isMaterialized: true, strips, origin: map
        ) {
            try map.slice($0, along: 2).slice($1, along: 1)
        }
    }

    /// A map that is made from this one.
    func derived(
        channels: Int? = nil, height: Int? = nil, width: Int? = nil,
        edged: ((Range<Int>, Border) throws -> Tensor)? = nil,
        part: @escaping (Range<Int>, Range<Int>) throws -> Tensor
    ) -> LazyFeatureMap {
        var map = LazyFeatureMap(
            channels: channels ?? self.channels, height: height ?? self.height,
            width: width ?? self.width, widest: max(widest, channels ?? 0), isMaterialized: false,
            strips,
            origin: origin, part: part)
        map.edged = edged
        return map
    }

    func rows(_ range: Range<Int>) throws -> Tensor { try part(range, 0..<channels) }

    /// Rows with zeros where the map has none, and with others before and after each row.
    func rows(_ range: Range<Int>, left: Int, right: Int) throws -> Tensor {
        let inside = range.clamped(to: 0..<height)
        let border = Border(
            top: inside.lowerBound - range.lowerBound, bottom: range.upperBound - inside.upperBound,
            left: left, right: right)
        return try edged?(inside, border) ?? rows(inside).bordered(border)
    }

    /// Rows in pieces of about the size of a strip.
    ///
    /// Pieces have multiples of 2048 pixels: the kernel of 1x1 convolutions works in such blocks and
    /// rounds others differently. Kernels may take two rows at once.
    var pieces: [Range<Int>] {
        let unit = max(origin.isMapForKernels ? 2 : 1, 2048 >> width.trailingZeroBitCount)
        let count = max(1, strips.stripBytes / (2 * widest * width) / unit) * unit
        return stride(from: 0, to: height, by: count).map { $0..<min($0 + count, height) }
    }

    /// Computes everything, or some channels, and keeps it.
    ///
    /// - Shapes: → [1, C, h, w].
    func materialized(channels wanted: Range<Int>? = nil) throws -> Tensor {
        let wanted = wanted ?? 0..<channels
        var whole: Tensor?
        for piece in pieces {
            let rows = try part(piece, wanted)
            let target = try whole ?? emptyMap(of: wanted.count, like: rows)
            try target.slice(piece, along: 2).assign(rows)
            whole = target
        }
        guard let whole else { preconditionFailure("a map of no rows") }
        return whole
    }

    /// A map to be filled, its channels innermost where kernels will want them so.
    private func emptyMap(of channels: Int, like rows: Tensor) throws -> Tensor {
        guard rows.isMapForKernels else {
            return try .empty([1, channels, height, width], dtype: rows.dtype, device: rows.device)
        }
        return try Tensor.empty(
            [1, height, width, channels], dtype: rows.dtype, device: rows.device
        ).permuted([0, 3, 1, 2])
    }

    /// Computes everything over a stored map of the same size that it is made from.
    ///
    /// A strip is written when the one after it has been computed, which may look at its last rows.
    func materialized(over map: Tensor) throws -> Tensor {
        var waiting: (piece: Range<Int>, rows: Tensor)?
        for piece in pieces {
            let rows = try rows(piece)
            if let (before, done) = waiting { try map.slice(before, along: 2).assign(done) }
            waiting = (piece, rows)
        }
        if let (last, done) = waiting { try map.slice(last, along: 2).assign(done) }
        return map
    }

    /// The bytes of the whole map in 16-bit types.
    var byteCount: Int { 2 * channels * height * width }

    /// The map, stored if it is small enough to be held.
    func materializedIfSmall() throws -> LazyFeatureMap {
        byteCount <= strips.heldBytes ? LazyFeatureMap(try materialized(), strips) : self
    }
}

extension LazyFeatureMap {
    static func + (a: LazyFeatureMap, b: LazyFeatureMap) -> LazyFeatureMap {
        a.derived { try a.part($0, $1) + b.part($0, $1) }
    }

    /// A convolution that keeps the size, added to another map of its size.
    func convolved(_ convolution: Convolution, adding added: LazyFeatureMap? = nil)
        -> LazyFeatureMap
    {
        if convolution.hasKernel(for: origin) { return convolvedByKernels(convolution, added) }
        let result = convolvedByLibtorch(convolution)
        return added.map { $0 + result } ?? result
    }

    /// Neighboring rows are computed with those that are wanted and cut off.
    private func convolvedByLibtorch(_ convolution: Convolution) -> LazyFeatureMap {
        let reach = convolution.padding
        return derived(channels: convolution.weight.shape[0]) { wanted, outputs in
            let needed = max(wanted.lowerBound - reach, 0)..<min(wanted.upperBound + reach, height)
            let first = wanted.lowerBound - needed.lowerBound
            return try convolution(rows(needed), outputs: outputs)
                .slice(first..<first + wanted.count, along: 2)
        }
    }

    /// A convolution with stride 2 and a border at the right and the bottom.
    func downsampled(_ convolution: Convolution) -> LazyFeatureMap {
        if convolution.hasKernel(for: origin) { return downsampledByKernels(convolution) }
        return derived(
            channels: convolution.weight.shape[0], height: height / 2, width: width / 2
        ) { wanted, outputs in
            let end = 2 * wanted.upperBound + 1
            let needed = try rows(2 * wanted.lowerBound..<min(end, height))
            return try convolution(
                needed.padded([0, 1, 0, max(end - height, 0)]), outputs: outputs)
        }
    }

    /// A convolution of the map with every pixel twice along both axes.
    func upsampled(_ convolution: Convolution) -> LazyFeatureMap {
        convolution.hasKernel(for: origin)
            ? upsampledByKernels(convolution) : upsampled().convolved(convolution)
    }

    /// Every pixel twice along both axes.
    private func upsampled() -> LazyFeatureMap {
        derived(height: 2 * height, width: 2 * width) { wanted, channels in
            let needed = wanted.lowerBound / 2..<(wanted.upperBound + 1) / 2
            let first = wanted.lowerBound - 2 * needed.lowerBound
            return try upsampledByRepetition(part(needed, channels), factor: 2)
                .slice(first..<first + wanted.count, along: 2)
        }
    }

    /// Group normalization by the statistics of the whole map, then SiLU.
    ///
    /// Everything is computed once for the statistics, and again when it is asked for.
    func activated(_ norm: GroupNorm) throws -> LazyFeatureMap {
        if norm.hasKernel(for: origin) { return try activatedByKernels(norm) }
        let (mean, inverse) = try moments(norm)
        let perGroup = channels / norm.groups
        func spread(_ x: Tensor) throws -> Tensor {
            try x.unsqueezed(1).expanded([norm.groups, perGroup]).reshaped([channels])
        }
        // As the kernel does it: x · scale + shift, rounded once, in float32.
        let scale = try spread(inverse) * norm.weight.value(like: inverse)
        let shift = try norm.bias.value(like: inverse).adding(-scale, times: spread(mean))
        let shape = [1, channels, 1, 1]
        let (factors, offsets) = try (scale.reshaped(shape), shift.reshaped(shape))
        return derived { wanted, channels in
            let x = try part(wanted, channels)
            let normed = try offsets.slice(channels, along: 1).adding(
                x.to(dtype: .float32), times: factors.slice(channels, along: 1))
            return try silu(normed.to(dtype: x.dtype))
        }
    }

    /// Mean and inverse deviation of each group over the whole map, some groups at a time.
    private func moments(_ norm: GroupNorm) throws -> (mean: Tensor, inverse: Tensor) {
        let perGroup = channels / norm.groups
        // What is stored costs nothing to look at again; of the rest, as much as possible at once.
        let bytes = isMaterialized ? 4 * strips.stripBytes : strips.heldBytes
        let room = bytes / (2 * height * width * perGroup)
        var found: [(mean: Tensor, inverseDeviation: Tensor)] = []
        for first in stride(from: 0, to: norm.groups, by: max(1, room)) {
            let groups = first..<min(first + max(1, room), norm.groups)
            let channels = groups.lowerBound * perGroup..<groups.upperBound * perGroup
            found.append(
                try norm.moments(of: materialized(channels: channels), groups: groups.count))
        }
        return try (
            .concatenating(found.map(\.mean), along: 0),
            .concatenating(found.map(\.inverseDeviation), along: 0)
        )
    }
}
