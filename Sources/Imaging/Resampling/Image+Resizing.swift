extension Image {
    /// The image at another size, bit for bit as Pillow resizes 8-bit images.
    ///
    /// Each side is resized by itself, to whole 8-bit values; one that keeps its length is left
    /// alone. Shrinking widens the kernel, so nothing is skipped. Sides are positive pixel counts.
    ///
    /// - Source: Pillow 13; older versions always begin with the width.
    public func resized(width: Int, height: Int, filter: ResamplingFilter) -> Image {
        precondition(width > 0 && height > 0, "an image has positive sides")
        let lostRows = self.height - height
        if lostRows > 0, lostRows > 2 * (self.width - width) {
            return resizedDown(to: height, filter: filter).resizedAcross(to: width, filter: filter)
        }
        return resizedAcross(to: width, filter: filter).resizedDown(to: height, filter: filter)
    }

    private func resizedAcross(to newWidth: Int, filter: ResamplingFilter) -> Image {
        if newWidth == width { return self }
        let table = ResamplingTable(from: width, to: newWidth, filter: filter)
        let size = 3 * newWidth * height
        let result = [UInt8](unsafeUninitializedCapacity: size) { target, count in
            pixels.withUnsafeBufferPointer { source in
                Resampler.with(table) { $0.rows(source, width, target, newWidth, height) }
            }
            count = size
        }
        return Image(width: newWidth, height: height, pixels: result)
    }

    private func resizedDown(to newHeight: Int, filter: ResamplingFilter) -> Image {
        if newHeight == height { return self }
        let table = ResamplingTable(from: height, to: newHeight, filter: filter)
        let size = 3 * width * newHeight
        let result = [UInt8](unsafeUninitializedCapacity: size) { target, count in
            pixels.withUnsafeBufferPointer { source in
                Resampler.with(table) { $0.columns(source, target, 3 * width, newHeight) }
            }
            count = size
        }
        return Image(width: width, height: newHeight, pixels: result)
    }
}

/// The two inner loops of resizing, on pointers and with `while` so that debug builds keep pace.
///
/// Sums are 32-bit integers with 22 fractional bits that start at one half, as in Pillow.
private struct Resampler {
    private static let half = Int32(1) << (ResamplingTable.fractionBits - 1)

    let starts: UnsafeBufferPointer<Int>
    let counts: UnsafeBufferPointer<Int>
    let weights: UnsafeBufferPointer<Int32>
    let stride: Int

    /// Lends a table's memory to `body`.
    static func with(_ table: ResamplingTable, _ body: (Resampler) -> Void) {
        table.starts.withUnsafeBufferPointer { starts in
            table.counts.withUnsafeBufferPointer { counts in
                table.weights.withUnsafeBufferPointer { weights in
                    body(
                        Resampler(
                            starts: starts, counts: counts, weights: weights,
                            stride: table.stride))
                }
            }
        }
    }

    /// Makes every row `newWidth` pixels wide.
    func rows(
        _ source: UnsafeBufferPointer<UInt8>, _ width: Int,
        _ target: UnsafeMutableBufferPointer<UInt8>, _ newWidth: Int, _ height: Int
    ) {
        var (y, out) = (0, 0)
        while y < height {
            var x = 0
            while x < newWidth {
                let first = 3 * (y * width + starts[x])
                var channel = 0
                while channel < 3 {
                    target[out] = weighted(source, from: first + channel, by: 3, at: x)
                    out += 1
                    channel += 1
                }
                x += 1
            }
            y += 1
        }
    }

    /// Makes every column `newHeight` pixels high; `row` is the bytes of a row.
    func columns(
        _ source: UnsafeBufferPointer<UInt8>, _ target: UnsafeMutableBufferPointer<UInt8>,
        _ row: Int, _ newHeight: Int
    ) {
        var (y, out) = (0, 0)
        while y < newHeight {
            let first = starts[y] * row
            var x = 0
            while x < row {
                target[out] = weighted(source, from: first + x, by: row, at: y)
                out += 1
                x += 1
            }
            y += 1
        }
    }

    private func weighted(
        _ source: UnsafeBufferPointer<UInt8>, from first: Int, by step: Int, at place: Int
    ) -> UInt8 {
        var (sum, at, tap) = (Self.half, first, place * stride)
        let end = tap + counts[place]
        while tap < end {
            sum &+= Int32(source[at]) &* weights[tap]
            at += step
            tap += 1
        }
        return UInt8(clamping: sum >> ResamplingTable.fractionBits)
    }
}
