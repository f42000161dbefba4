internal import FluxModels
internal import Torch

/// What the autoencoder's layers take by the package's own kernels: borders are written with what is
/// inside, and weights are made ready for each convolution.
extension AutoencoderFootprint {
    var usesKernels: Bool { layers.kernels >= Kernel.convolution.set }

    private func saves(_ inputs: Int, _ outputs: Int) -> Bool {
        layers.kernels >= Kernel.winograd.set
            && Convolution.isWorthSavingProducts(from: inputs, to: outputs)
    }

    /// What a weight becomes for the convolution of an enlarged map, in places of a kernel.
    func enlargingPlanes(_ channels: Int) -> Int { saves(channels, channels) ? 9 : 16 }

    /// A map with a border of so many pixels on each side.
    func bordered(_ x: Map, by border: Int = 1) -> Piece {
        layers.tensor(
            (x.channels + 1) / 2 * 2 * (x.height + 2 * border) * (x.width + 2 * border))
    }

    /// A norm: sums of rows, then the result with its border.
    func normed(_ x: Map, border: Int) -> Piece {
        let sums = heap.take(16 * configuration.normGroups * x.height)
        let result = bordered(x, by: border)
        heap.give(sums)
        return result
    }

    /// A convolution of a map that has its border.
    func convolvedByKernels(
        from inputs: Int, to outputs: Int, size: Int = 3, stride: Int = 1, planes: Int? = nil,
        places: Int, savesProducts: Bool = true
    ) -> Piece {
        let isWinograd = savesProducts && size == 3 && stride == 1 && saves(inputs, outputs)
        let planes = planes ?? (isWinograd ? 16 : size * size)
        let weights = layers.tensor(
            (inputs + 1) / 2 * 2 * ((outputs + 15) / 16 * 16) * planes)
        let result = layers.tensor(outputs * places)
        heap.give(weights)
        return result
    }

    /// A convolution of a map without one.
    func convolvedByKernels(_ x: Map, to channels: Int, size: Int) -> Piece {
        let input = size > 1 ? bordered(x) : nil
        let result = convolvedByKernels(
            from: x.channels, to: channels, size: size, places: x.places)
        input.map { heap.give($0) }
        return result
    }

    /// A convolution of the map with each pixel twice along both axes.
    func enlargedByKernels(_ x: Map) -> Piece {
        let input = bordered(x)
        let result = convolvedByKernels(
            from: x.channels, to: x.channels, planes: enlargingPlanes(x.channels),
            places: 4 * x.places)
        heap.give(input)
        return result
    }

    func unitByKernels(
        _ input: Piece?, _ x: Map, to channels: Int, _ savesProducts: Bool
    ) -> Piece {
        let y = x.with(channels)
        let first = normed(x, border: 1)
        let middle = convolvedByKernels(
            from: x.channels, to: channels, places: x.places, savesProducts: savesProducts)
        heap.give(first)
        let second = normed(y, border: 1)
        heap.give(middle)
        let shortcut = x.channels == channels ? [] : [convolved(x, to: channels, size: 1)]
        let sum = convolvedByKernels(
            from: channels, to: channels, places: x.places, savesProducts: savesProducts)
        heap.give([second] + shortcut + [input].compactMap(\.self))
        return sum
    }

    func attendedByKernels(_ input: Piece, _ x: Map) -> Piece {
        let normed = normed(x, border: 0)
        let parts = (0..<3).map { _ in layers.tensor(x.count) }
        let heads = layers.tensor(x.count)
        // Keys and values as products want them.
        heap.give(layers.tensor(2 * x.channels * ((x.places + 63) / 64 * 64)))
        heap.give(parts)
        let out = layers.tensor(x.count)
        return layers.combined(x.count, normed, heads, out, input)
    }

    /// The last norm and convolution, whose result is laid out by channels.
    func finishedByKernels(_ hidden: Piece, _ map: Map, to channels: Int) -> Piece {
        let last = normed(map, border: 1)
        let result = convolvedByKernels(from: map.channels, to: channels, places: map.places)
        heap.give(last)
        let turned = layers.tensor(channels * map.places)
        heap.give(result, hidden)
        return turned
    }
}
