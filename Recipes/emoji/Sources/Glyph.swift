import FluxEvaluation
import Imaging

/// A picture with soft edges: its colours as they are on black, and how much of each pixel it covers.
struct Glyph {
    let colours: Image
    /// The same value three times.
    let cover: Image

    init(png: [UInt8]) throws {
        let black = try Image(decoding: png, options: ReadOptions(alpha: .compositeOnBlack))
        let white = try Image(decoding: png, options: ReadOptions(alpha: .compositeOnWhite))
        colours = black
        cover = Image(
            width: black.width, height: black.height,
            pixels: zip(black.pixels, white.pixels).map { 255 - ($1 - min($0, $1)) })
    }

    private init(colours: Image, cover: Image) {
        self.colours = colours
        self.cover = cover
    }

    /// At another width, with the same proportions.
    func resized(width: Int) -> Glyph {
        let height = max(1, colours.height * width / colours.width)
        return Glyph(
            colours: colours.resized(width: width, height: height, filter: .bicubic),
            cover: cover.resized(width: width, height: height, filter: .bicubic))
    }

    /// The share of what is covered that has a hue of its own.
    var colourfulness: Double {
        var (all, coloured) = (0, 0)
        for place in stride(from: 0, to: colours.pixels.count, by: 3)
        where cover.pixels[place] > 128 {
            all += 1
            if HSV(colours.pixels, at: place).isColoured { coloured += 1 }
        }
        return all == 0 ? 0 : Double(coloured) / Double(all)
    }

    /// In another colour; what is grey stays as it is.
    func painted(_ colour: Palette) -> Glyph {
        var pixels = colours.pixels
        for place in stride(from: 0, to: pixels.count, by: 3) {
            var hsv = HSV(pixels, at: place)
            guard hsv.saturation > 0.1 else { continue }
            hsv.hue = colour.hue
            hsv.saturation = min(1, hsv.saturation * colour.strength)
            hsv.write(to: &pixels, at: place)
        }
        return Glyph(
            colours: Image(width: colours.width, height: colours.height, pixels: pixels),
            cover: cover)
    }

    /// Puts it onto a picture, its middle at a place.
    func draw(on canvas: inout Image, x: Int, y: Int) {
        let (left, top) = (x - colours.width / 2, y - colours.height / 2)
        var pixels = canvas.pixels
        for row in 0..<colours.height where (0..<canvas.height).contains(top + row) {
            for column in 0..<colours.width where (0..<canvas.width).contains(left + column) {
                let from = 3 * (row * colours.width + column)
                let to = 3 * ((top + row) * canvas.width + left + column)
                for channel in 0..<3 {
                    let clear = 255 - Int(cover.pixels[from + channel])
                    let value =
                        Int(colours.pixels[from + channel])
                        + (Int(pixels[to + channel]) * clear + 127) / 255
                    pixels[to + channel] = UInt8(min(255, value))
                }
            }
        }
        canvas.pixels = pixels
    }
}
