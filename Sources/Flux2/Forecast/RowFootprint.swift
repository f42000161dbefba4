internal import FluxModels

/// What a map takes that is computed some rows at a time, following `RowMap` line by line.
struct RowFootprint {
    typealias Piece = PieceHeap.Piece
    typealias Map = AutoencoderFootprint.Map

    let map: Map
    let autoencoder: AutoencoderFootprint
    private let strips: Strips
    private let widest: Int
    private let isStored: Bool
    /// So many rows of so many channels; nil where they are shown from what is stored.
    let part: (Int, Int) -> Piece?
    /// So many rows with a border, where it is made with them.
    private var edged: ((Int) -> Piece)?

    private var layers: Footprint { autoencoder.layers }
    private var heap: PieceHeap { autoencoder.heap }

    init(
        _ map: Map, _ former: RowFootprint, edged: ((Int) -> Piece)? = nil,
        part: @escaping (Int, Int) -> Piece?
    ) {
        self.edged = edged
        self.map = map
        autoencoder = former.autoencoder
        strips = former.strips
        widest = max(former.widest, map.channels)
        isStored = false
        self.part = part
    }

    /// A map that is there.
    init(_ map: Map, _ autoencoder: AutoencoderFootprint, _ strips: Strips) {
        self.map = map
        self.autoencoder = autoencoder
        self.strips = strips
        widest = map.channels
        isStored = true
        part = { _, _ in nil }
    }

    /// Rows of each piece but the last.
    private var rows: Int {
        let unit = max(autoencoder.usesKernels ? 2 : 1, 2048 >> map.width.trailingZeroBitCount)
        return max(1, strips.stripBytes / (2 * widest * map.width) / unit) * unit
    }

    var pieces: [Int] {
        stride(from: 0, to: map.height, by: rows).map { min(rows, map.height - $0) }
    }

    func give(_ piece: Piece?) {
        if let piece { heap.give(piece) }
    }

    /// So many rows between a pixel more on each side.
    func bordered(_ rows: Int) -> Piece {
        if let edged { return edged(rows) }
        let inside = part(min(rows, map.height), map.channels)
        let result = autoencoder.bordered(
            Map(channels: map.channels, height: rows - 2, width: map.width))
        give(inside)
        return result
    }

    /// Some channels, or all, computed and kept.
    func stored(channels: Int? = nil) -> Piece {
        let channels = channels ?? map.channels
        var whole: Piece?
        for count in pieces {
            let rows = part(count, channels)
            whole = whole ?? layers.tensor(channels * map.places)
            give(rows)
        }
        return whole ?? layers.tensor(0)
    }

    /// All of it, computed over a map that is there.
    func overwrite() {
        var waiting: Piece?
        for count in pieces {
            let rows = part(count, map.channels)
            give(waiting)
            waiting = rows
        }
        give(waiting)
    }

    var isWhole: Bool { 2 * map.count <= strips.wholeBytes }
    var isHeld: Bool { 2 * map.count <= strips.heldBytes }

    func convolved(
        to channels: Int, size: Int = 3, adding added: RowFootprint? = nil
    ) -> RowFootprint {
        if autoencoder.usesKernels {
            return convolvedByKernels(to: channels, size: size, adding: added)
        }
        let result = convolvedByLibtorch(to: channels, size: size)
        return added.map { $0 + result } ?? result
    }

    private func convolvedByLibtorch(to channels: Int, size: Int) -> RowFootprint {
        RowFootprint(map.with(channels), self) { wanted, outputs in
            let needed = min(wanted + size / 2 * 2, map.height)
            let input = part(needed, map.channels)
            let result = autoencoder.convolved(
                Map(channels: map.channels, height: needed, width: map.width), to: outputs,
                size: size)
            give(input)
            return result
        }
    }

    func downsampled() -> RowFootprint {
        let small = Map(channels: map.channels, height: map.height / 2, width: map.width / 2)
        if autoencoder.usesKernels { return downsampledByKernels(small) }
        return RowFootprint(small, self) { wanted, outputs in
            let rows = Map(channels: map.channels, height: 2 * wanted + 1, width: map.width)
            let needed = part(rows.height, map.channels)
            let padded = layers.tensor(rows.count)
            let result = autoencoder.convolved(rows, to: outputs, places: wanted * small.width)
            heap.give(padded)
            give(needed)
            return result
        }
    }

    func enlarged() -> RowFootprint {
        autoencoder.usesKernels ? enlargedByKernels() : upsampled().convolved(to: map.channels)
    }

    private func upsampled() -> RowFootprint {
        let large = Map(channels: map.channels, height: 2 * map.height, width: 2 * map.width)
        return RowFootprint(large, self) { wanted, channels in
            let needed = wanted / 2 + 1
            let rows = part(needed, channels)
            let result = layers.tensor(4 * needed * map.width * channels)
            give(rows)
            return result
        }
    }

    static func + (a: RowFootprint, b: RowFootprint) -> RowFootprint {
        RowFootprint(a.map, a) { rows, channels in
            let parts = [a.part(rows, channels), b.part(rows, channels)].compactMap(\.self)
            let sum = a.layers.tensor(rows * a.map.width * channels)
            a.heap.give(parts)
            return sum
        }
    }

    func activated() -> RowFootprint {
        if autoencoder.usesKernels { return activatedByKernels() }
        look()
        return RowFootprint(map, self) { rows, channels in
            let count = rows * map.width * channels
            let x = part(rows, channels)
            let exact = layers.bytes == 4 ? nil : layers.exact(count)
            let normed = layers.exact(count)
            give(exact)
            let rounded = layers.bytes == 4 ? nil : layers.tensor(count)
            let result = layers.tensor(count)
            give(rounded)
            heap.give(normed)
            give(x)
            return result
        }
    }

    /// Computes mean and deviation, some groups at a time: copies of their channels.
    private func look() {
        let groups = autoencoder.configuration.normGroups
        let perGroup = map.channels / groups
        let bytes = isStored ? 4 * strips.stripBytes : strips.heldBytes
        let room = max(1, bytes / (2 * map.places * perGroup))
        for first in stride(from: 0, to: groups, by: room) {
            let channels = min(room, groups - first) * perGroup
            let copy = stored(channels: channels)
            heap.give(layers.tensor(channels * map.places))
            heap.give(copy)
        }
    }
}
