import Imaging

/// What is done to a whole image to make a style of it.
enum Treatment {
    /// Blocks of this many pixels on a side.
    static let block = 8

    /// Squares of one color each.
    static func pixelArt(_ image: Image) -> Image {
        let small = image.resized(
            width: image.width / block, height: image.height / block, filter: .bilinear)
        var pixels = image.pixels
        for y in 0..<image.height {
            for x in 0..<image.width {
                let from = 3 * (y / block * small.width + x / block)
                let to = 3 * (y * image.width + x)
                for channel in 0..<3 { pixels[to + channel] = small.pixels[from + channel] }
            }
        }
        return Image(width: image.width, height: image.height, pixels: pixels)
    }

    /// Without colors, by the weights of luma that JPEG has.
    static func gray(_ image: Image) -> Image {
        var pixels = image.pixels
        for place in stride(from: 0, to: pixels.count, by: 3) {
            let sum =
                299 * Int(pixels[place]) + 587 * Int(pixels[place + 1]) + 114
                * Int(pixels[place + 2])
            let luma = UInt8((sum + 500) / 1000)
            for channel in 0..<3 { pixels[place + channel] = luma }
        }
        return Image(width: image.width, height: image.height, pixels: pixels)
    }
}

/// Figures that say how much of a style an image has.
enum StyleFigure {
    /// The share of all differences between neighbors that lies on the borders of blocks: 1 for pixel
    /// art, about one over the side of a block for anything else.
    static func blockiness(_ image: Image) -> Double {
        var (onBorders, all) = (0, 0)
        for y in 0..<image.height {
            for x in 1..<image.width {
                let place = 3 * (y * image.width + x)
                let step = (0..<3).reduce(0) {
                    $0 + abs(Int(image.pixels[place + $1]) - Int(image.pixels[place + $1 - 3]))
                }
                all += step
                if x % Treatment.block == 0 { onBorders += step }
            }
        }
        return all == 0 ? 0 : Double(onBorders) / Double(all)
    }

    /// The mean over all pixels of the largest less the smallest channel, from 0 to 1.
    static func color(_ image: Image) -> Double {
        var sum = 0
        for place in stride(from: 0, to: image.pixels.count, by: 3) {
            let pixel = image.pixels[place..<place + 3]
            sum += Int(pixel.max() ?? 0) - Int(pixel.min() ?? 0)
        }
        return Double(sum) / Double(255 * image.width * image.height)
    }
}
