internal import FluxModels

/// What rows take by the package's own kernels, following `RowMap+Kernels`.
extension RowFootprint {
    private var heap: PieceHeap { autoencoder.heap }

    func convolvedByKernels(
        to channels: Int, size: Int, adding added: RowFootprint?
    ) -> RowFootprint {
        RowFootprint(map.with(channels), self) { wanted, _ in
            let input = size > 1 ? bordered(wanted + 2) : part(wanted, map.channels)
            let sum = added?.part(wanted, channels)
            let result = autoencoder.convolvedByKernels(
                from: map.channels, to: channels, size: size, places: wanted * map.width)
            give(sum)
            give(input)
            return result
        }
    }

    func downsampledByKernels(_ small: Map) -> RowFootprint {
        RowFootprint(small, self) { wanted, _ in
            let input = bordered(2 * wanted + 1)
            let result = autoencoder.convolvedByKernels(
                from: map.channels, to: map.channels, stride: 2, places: wanted * small.width)
            heap.give(input)
            return result
        }
    }

    func enlargedByKernels() -> RowFootprint {
        let large = Map(channels: map.channels, height: 2 * map.height, width: 2 * map.width)
        return RowFootprint(large, self) { wanted, _ in
            let needed = wanted / 2 + 1
            let input = bordered(needed + 2)
            let result = autoencoder.convolvedByKernels(
                from: map.channels, to: map.channels,
                planes: autoencoder.enlargingPlanes(map.channels), places: 4 * needed * map.width)
            heap.give(input)
            return result
        }
    }

    func activatedByKernels() -> RowFootprint {
        for count in pieces { give(part(count, map.channels)) }
        func normed(_ rows: Int, border: Int) -> AutoencoderFootprint.Piece {
            let inside = Map(
                channels: map.channels, height: rows - 2 * border, width: map.width)
            let x = part(min(rows, map.height), map.channels)
            let result = autoencoder.bordered(inside, by: border)
            give(x)
            return result
        }
        return RowFootprint(map, self, edged: { normed($0, border: 1) }) { rows, _ in
            normed(rows, border: 0)
        }
    }
}
