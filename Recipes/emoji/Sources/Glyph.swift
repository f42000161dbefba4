import FluxEvaluation
import Imaging

/// An image with soft edges: its colors as they are on black, and how much of each pixel it covers.
struct Glyph {
    let colors: Image
    /// The same value three times.
    let cover: Image

    init(png: [UInt8]) throws {
        let black = try Image(decoding: png, options: ReadOptions(alpha: .compositeOnBlack))
        let white = try Image(decoding: png, options: ReadOptions(alpha: .compositeOnWhite))
        colors = black
        cover = Image(
            width: black.width, height: black.height,
            pixels: zip(black.pixels, white.pixels).map { 255 - ($1 - min($0, $1)) })
    }

    private init(colors: Image, cover: Image) {
        self.colors = colors
        self.cover = cover
    }

    /// At another width, with the same proportions.
    func resized(width: Int) -> Glyph {
        let height = max(1, colors.height * width / colors.width)
        return Glyph(
            colors: colors.resized(width: width, height: height, filter: .bicubic),
            cover: cover.resized(width: width, height: height, filter: .bicubic))
    }

    /// The share of what is covered that has a hue of its own.
    var colorfulness: Double {
        var (all, colored) = (0, 0)
        for place in stride(from: 0, to: colors.pixels.count, by: 3)
        where cover.pixels[place] > 128 {
            all += 1
            if HSV(colors.pixels, at: place).isColored { colored += 1 }
        }
        return all == 0 ? 0 : Double(colored) / Double(all)
    }

    /// In another color; what is gray stays as it is.
    func painted(_ color: Palette) -> Glyph {
        var pixels = colors.pixels
        for place in stride(from: 0, to: pixels.count, by: 3) {
            var hsv = HSV(pixels, at: place)
            guard hsv.saturation > 0.1 else { continue }
            hsv.hue = color.hue
            hsv.saturation = min(1, hsv.saturation * color.strength)
            hsv.write(to: &pixels, at: place)
        }
        return Glyph(
            colors: Image(width: colors.width, height: colors.height, pixels: pixels),
            cover: cover)
    }

    /// Puts it onto an image, its middle at a place.
    func draw(on canvas: inout Image, x: Int, y: Int) {
        let (left, top) = (x - colors.width / 2, y - colors.height / 2)
        var pixels = canvas.pixels
        for row in 0..<colors.height where (0..<canvas.height).contains(top + row) {
            for column in 0..<colors.width where (0..<canvas.width).contains(left + column) {
                let from = 3 * (row * colors.width + column)
                let to = 3 * ((top + row) * canvas.width + left + column)
                for channel in 0..<3 {
                    let clear = 255 - Int(cover.pixels[from + channel])
                    let value =
                        Int(colors.pixels[from + channel])
                        + (Int(pixels[to + channel]) * clear + 127) / 255
                    pixels[to + channel] = UInt8(min(255, value))
                }
            }
        }
        canvas.pixels = pixels
    }
}
