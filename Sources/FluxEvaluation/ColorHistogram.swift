public import Imaging

/// Which colors an image has, and roughly where.
///
/// The image is cut into 4x4 cells, each of which has a histogram of 4x4x4 levels of red, green
/// and blue that adds up to one. A pixel is shared by the levels around it in proportion, so that a
/// little noise moves little.
public enum ColorHistogram {
    /// Cells in each direction.
    static let cells = 4
    /// Levels of each channel: 0, 85, 170 and 255.
    static let levels = 4

    /// The histograms of all cells one after the other.
    ///
    /// - Returns: 1024 numbers: cell by cell in rows, then red, green and blue, the last fastest.
    public static func of(_ image: Image) -> [Float] {
        let bins = levels * levels * levels
        var sums = [Float](repeating: 0, count: cells * cells * bins)
        var counts = [Float](repeating: 0, count: cells * cells)
        for row in 0..<image.height {
            for column in 0..<image.width {
                let cell =
                    row * cells / image.height * cells + column * cells / image.width
                counts[cell] += 1
                add(image, at: 3 * (row * image.width + column), to: &sums, from: cell * bins)
            }
        }
        for bin in sums.indices { sums[bin] /= max(1, counts[bin / bins]) }
        return sums
    }

    /// Gives a pixel's weight of one to the eight bins around its color.
    private static func add(_ image: Image, at place: Int, to sums: inout [Float], from start: Int)
    {
        let (red, green, blue) = (
            share(image.pixels[place]), share(image.pixels[place + 1]),
            share(image.pixels[place + 2])
        )
        for corner in 0..<8 {
            let (r, g, b) = (corner >> 2, corner >> 1 & 1, corner & 1)
            let bin = ((red.level + r) * levels + green.level + g) * levels + blue.level + b
            sums[start + bin] += red.of(r) * green.of(g) * blue.of(b)
        }
    }

    private struct Share {
        var level: Int
        var above: Float
        func of(_ side: Int) -> Float { side == 1 ? above : 1 - above }
    }

    /// The level below a value, of which there is always one above, and how much the latter gets.
    private static func share(_ value: UInt8) -> Share {
        let place = Float(value) * Float(levels - 1) / 255
        let level = min(Int(place), levels - 2)
        return Share(level: level, above: place - Float(level))
    }
}
