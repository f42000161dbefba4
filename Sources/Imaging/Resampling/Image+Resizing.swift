extension Image {
    /// The picture at another size, bit for bit as Pillow resizes 8-bit pictures.
    ///
    /// Rows are resized first, then columns, each to whole 8-bit values; a side that keeps its
    /// length is left alone. Shrinking widens the kernel, so nothing is skipped. Sides are
    /// positive pixel counts.
    public func resized(width: Int, height: Int, filter: ResamplingFilter) -> Image {
        precondition(width > 0 && height > 0, "a picture has positive sides")
        return resizedAcross(to: width, filter: filter).resizedDown(to: height, filter: filter)
    }

    private func resizedAcross(to newWidth: Int, filter: ResamplingFilter) -> Image {
        if newWidth == width { return self }
        let table = ResamplingTable(from: width, to: newWidth, filter: filter)
        let size = 3 * newWidth * height
        let result = [UInt8](unsafeUninitializedCapacity: size) { target, count in
            pixels.withUnsafeBufferPointer { source in
                Resampler(table) { $0.rows(source, width, target, newWidth, height) }
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
                Resampler(table) { $0.columns(source, target, 3 * width, newHeight) }
            }
            count = size
        }
        return Image(width: width, height: newHeight, pixels: result)
    }
}

/// The two inner loops of resizing, on pointers and with `while` so that debug builds keep pace.
private struct Resampler {
    private let starts: UnsafeBufferPointer<Int>
    private let counts: UnsafeBufferPointer<Int>
    private let weights: UnsafeBufferPointer<Int32>
    private let stride: Int

    /// Lends a table's memory to `body`.
    @discardableResult
    init(_ table: ResamplingTable, _ body: (Resampler) -> Void) {
        self = table.starts.withUnsafeBufferPointer { starts in
            table.counts.withUnsafeBufferPointer { counts in
                table.weights.withUnsafeBufferPointer { weights in
                    let resampler = Resampler(starts, counts, weights, table.stride)
                    body(resampler)
                    return resampler
                }
            }
        }
    }
}
