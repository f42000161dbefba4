extension Image {
    /// The part of the image whose upper left pixel is (`x`, `y`).
    ///
    /// - Throws: `ImagingError` where the rectangle is empty or leaves the image.
    public func cropped(x: Int, y: Int, width: Int, height: Int) throws -> Image {
        // Compared this way round, no sum can overflow.
        guard x >= 0, y >= 0, width > 0, height > 0, width <= self.width, height <= self.height,
            x <= self.width - width, y <= self.height - height
        else {
            throw ImagingError(
                .outsideOfTheImage(
                    x: x, y: y, width: width, height: height, of: [self.width, self.height]))
        }
        return rectangle(x: x, y: y, width: width, height: height)
    }

    /// The image scaled to cover a size and cut to it around the center.
    ///
    /// Scaled sides and the offset of the cut are rounded half to even, as Python does.
    public func resizedToCover(width: Int, height: Int, filter: ResamplingFilter) -> Image {
        let scale = max(
            Double(width) / Double(self.width), Double(height) / Double(self.height))
        let wide = max(Rounding.halfToEven(Double(self.width) * scale), width)
        let high = max(Rounding.halfToEven(Double(self.height) * scale), height)
        return resized(width: wide, height: high, filter: filter)
            .rectangle(
                x: Rounding.halfToEven(Double(wide - width) / 2),
                y: Rounding.halfToEven(Double(high - height) / 2), width: width, height: height)
    }

    /// Cuts a rectangle that is known to lie in the image.
    func rectangle(x: Int, y: Int, width: Int, height: Int) -> Image {
        if width == self.width, height == self.height { return self }
        var part: [UInt8] = []
        part.reserveCapacity(3 * width * height)
        for row in y..<(y + height) {
            let start = 3 * (row * self.width + x)
            part.append(contentsOf: pixels[start..<(start + 3 * width)])
        }
        return Image(width: width, height: height, pixels: part)
    }

    /// Draws `other` with its upper left pixel at (`x`, `y`), where it fits.
    mutating func paste(_ other: Image, x: Int, y: Int) {
        precondition(x >= 0 && y >= 0 && x + other.width <= width && y + other.height <= height)
        for row in 0..<other.height {
            let start = 3 * ((y + row) * width + x)
            let source = 3 * row * other.width
            pixels.replaceSubrange(
                start..<(start + 3 * other.width),
                with: other.pixels[source..<(source + 3 * other.width)])
        }
    }
}

enum Rounding {
    static func halfToEven(_ value: Double) -> Int { Int(value.rounded(.toNearestOrEven)) }
}
