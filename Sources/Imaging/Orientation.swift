/// How a stored image must be turned to be upright; values are those of the EXIF tag.
enum Orientation: Int, CaseIterable {
    case upright = 1
    case mirrored = 2
    case upsideDown = 3
    case flipped = 4
    case transposed = 5
    case turnClockwise = 6
    case transversed = 7
    case turnCounterclockwise = 8

    var swapsSides: Bool { rawValue >= 5 }

    /// Whether columns of the stored image run backwards in the upright one.
    fileprivate var reversesColumns: Bool {
        [.mirrored, .upsideDown, .transversed, .turnCounterclockwise].contains(self)
    }

    /// Whether rows of the stored image run backwards in the upright one.
    fileprivate var reversesRows: Bool {
        [.upsideDown, .flipped, .turnClockwise, .transversed].contains(self)
    }
}

extension Image {
    /// The upright image of one stored with `orientation`.
    func upright(from orientation: Orientation) -> Image {
        if orientation == .upright { return self }
        let wide = orientation.swapsSides ? height : width
        let high = orientation.swapsSides ? width : height
        let turned = [UInt8](unsafeUninitializedCapacity: pixels.count) { target, count in
            pixels.withUnsafeBufferPointer { source in
                copyTurned(orientation, wide: wide, high: high, from: source, to: target)
            }
            count = pixels.count
        }
        return Image(width: wide, height: high, pixels: turned)
    }

    /// Walks the target row by row while `at` walks the source by constant steps.
    private func copyTurned(
        _ orientation: Orientation, wide: Int, high: Int, from source: UnsafeBufferPointer<UInt8>,
        to target: UnsafeMutableBufferPointer<UInt8>
    ) {
        let column = orientation.reversesColumns ? -3 : 3
        let row = orientation.reversesRows ? -3 * width : 3 * width
        let start =
            (orientation.reversesColumns ? 3 * (width - 1) : 0)
            + (orientation.reversesRows ? 3 * width * (height - 1) : 0)
        let (alongX, alongY) = orientation.swapsSides ? (row, column) : (column, row)
        var out = 0
        for y in 0..<high {
            var at = start + y * alongY
            for _ in 0..<wide {
                for channel in 0..<3 { target[out + channel] = source[at + channel] }
                out += 3
                at += alongX
            }
        }
    }
}
