import Imaging
import Testing

@testable import FluxEvaluation

@Suite("The color of what an image shows")
struct ColorTests {
    @Test func aDiscHasTheNameOfItsColor() {
        let paints: [(ColorName, Paint)] = [
            (.red, .red), (.orange, Paint(237, 142, 59)), (.yellow, Paint(237, 208, 59)),
            (.green, Paint(59, 237, 89)), (.blue, .blue), (.purple, Paint(163, 59, 237)),
            (.pink, Paint(255, 140, 198)),
        ]
        #expect(Set(paints.map(\.0)) == Set(ColorName.allCases))
        for (name, paint) in paints {
            #expect(Image.disc(paint, on: .white).mainColor == name)
            #expect(Image.disc(paint, on: .gray).mainColor == name)
        }
    }

    @Test func theBackgroundDoesNotCount() {
        #expect(Image.disc(.red, on: .blue, radius: 8).mainColor == .red)
        #expect(Image.disc(.blue, on: .red, radius: 8).mainColor == .blue)
    }

    @Test func noiseOfTheBackgroundDoesNotCount() {
        var image = Image.disc(.red, on: Paint(90, 110, 200), radius: 8)
        for at in stride(from: 2, to: image.pixels.count, by: 6) where image.pixels[at] == 200 {
            image.pixels[at] = 220
        }
        #expect(image.mainColor == .red)
    }

    @Test func shadesOfTheBackgroundAroundAThingDoNotCount() {
        var image = Image.disc(.red, on: Paint(160, 60, 230), radius: 8)
        image.paint(Paint(110, 20, 190), x: 0, y: 2, width: 60, height: 10)
        #expect(image.mainColor == .red)
    }

    @Test func thingsOfTheBackgroundsColorCountWhereTheyAreLighterOrDarkerByFar() {
        #expect(Image.disc(Paint(60, 70, 200), on: Paint(150, 190, 255)).mainColor == .blue)
    }

    @Test func grayAndDarkThingsHaveNone() {
        #expect(Image.disc(Paint(120, 110, 100), on: .white).mainColor == nil)
        #expect(Image.disc(Paint(60, 0, 0), on: .white).mainColor == nil)
        #expect(Image.disc(.white, on: .white).mainColor == nil)
    }

    @Test func theLargerPartDecides() {
        var image = Image.disc(.red, on: .white, radius: 20)
        image.paint(.blue, x: 24, y: 24, width: 16, height: 16)
        #expect(image.mainColor == .red)
        image.paint(.blue, x: 14, y: 14, width: 36, height: 36)
        #expect(image.mainColor == .blue)
    }

    @Test func pinkIsPalerThanRedAndPurple() {
        func name(_ hue: Double, _ saturation: Double) -> ColorName? {
            var pixel = HSV(red: 255, green: 0, blue: 0)
            (pixel.hue, pixel.saturation) = (hue, saturation)
            return ColorName(pixel)
        }
        #expect(name(347, 0.4) == .pink && name(347, 1) == .red)
        #expect(name(300, 0.4) == .pink && name(300, 1) == .purple)
        #expect(name(330, 0.3) == .pink && name(0, 0.3) == nil)
    }
}

@Suite("Colors by place")
struct HistogramTests {
    @Test func eachCellAddsUpToOne() {
        let histogram = ColorHistogram.of(.disc(Paint(200, 90, 10), on: .blue))
        #expect(histogram.count == 16 * 64)
        for cell in 0..<16 {
            let sum = histogram[(64 * cell)..<(64 * cell + 64)].reduce(0, +)
            #expect(abs(sum - 1) < 1e-4)
        }
    }

    @Test func aColorLiesInItsOwnBin() {
        let red = ColorHistogram.of(Image(width: 16, height: 16, red: 255, green: 0, blue: 85))
        #expect(red.indices.filter { red[$0] > 1e-6 } == (0..<16).map { 64 * $0 + 3 * 16 + 1 })
    }

    @Test func theSameColorsElsewhereAreFarAndALittleNoiseIsNear() {
        var (left, right) = (Image.disc(.red, on: .white, radius: 0), Image.disc(.red, on: .white))
        right = left
        left.paint(.blue, x: 0, y: 0, width: 16, height: 64)
        right.paint(.blue, x: 48, y: 0, width: 16, height: 64)
        var noisy = left
        for at in noisy.pixels.indices { noisy.pixels[at] = noisy.pixels[at] / 2 + 126 }
        var near = left
        for at in near.pixels.indices { near.pixels[at] = max(near.pixels[at], 4) - 4 }
        func distance(_ image: Image) -> Float {
            ImageSpace.histogram.distance(.only(image), .only(left))
        }
        #expect(distance(left) == 0)
        #expect(abs(distance(right) - 2 * 8) < 3)
        #expect(distance(near) < 5 && distance(near) > 0)
        #expect(distance(noisy) > distance(near))
    }
}

struct Paint {
    var (red, green, blue): (UInt8, UInt8, UInt8)

    init(_ red: UInt8, _ green: UInt8, _ blue: UInt8) {
        (self.red, self.green, self.blue) = (red, green, blue)
    }

    static let white = Paint(255, 255, 255)
    static let gray = Paint(70, 70, 70)
    static let red = Paint(237, 59, 59)
    static let blue = Paint(59, 133, 237)
}

extension Image {
    static func disc(_ paint: Paint, on ground: Paint, radius: Int = 24) -> Image {
        var image = Image(
            width: 64, height: 64, red: ground.red, green: ground.green, blue: ground.blue)
        for y in 0..<64 {
            for x in 0..<64 where (x - 32) * (x - 32) + (y - 32) * (y - 32) < radius * radius {
                image.paint(paint, x: x, y: y, width: 1, height: 1)
            }
        }
        return image
    }

    mutating func paint(_ paint: Paint, x: Int, y: Int, width: Int, height: Int) {
        var painted = pixels
        for row in y..<(y + height) {
            for column in x..<(x + width) {
                let at = 3 * (row * self.width + column)
                painted.replaceSubrange(at..<(at + 3), with: [paint.red, paint.green, paint.blue])
            }
        }
        pixels = painted
    }
}

extension ImageVectors {
    /// Without latents.
    static func only(_ image: Image) -> ImageVectors { ImageVectors(of: image, latents: []) }
}
