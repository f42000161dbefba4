import FluxTraining
import Imaging
import Testing

@Suite("Sizes of training images")
struct SizingTests {
    @Test(arguments: [
        (4000, 3000, 1168, 880), (1920, 1080, 1360, 768), (1000, 777, 992, 768),
        (1025, 1024, 1024, 1008), (333, 2047, 320, 2032), (640, 480, 640, 480),
        (1024, 1024, 1024, 1024),
    ])
    func areMultiplesOf16UpToAnArea(_ width: Int, _ height: Int, _ wide: Int, _ high: Int) throws {
        let size = try ImageSizing().size(width: width, height: height)
        #expect(size == (wide, high))
    }

    @Test func areFixedWhereBothSidesAreGiven() throws {
        #expect(try ImageSizing(height: 32, width: 48).size(width: 9, height: 4000) == (48, 32))
        #expect(try ImageSizing(height: 32).size(width: 100, height: 70) == (96, 64))
    }

    @Test(arguments: [0, -16, 8, 100])
    func mustBeMultiplesOf16(_ side: Int) {
        #expect(throws: DataError.self) { try ImageSizing(height: side, width: 64) }
        #expect(throws: DataError.self) { try ImageSizing(height: 64, width: side) }
    }

    @Test(arguments: [(15, 300), (300, 15), (2, 2), (5000, 16)])
    func leaveNoImageWithoutPixels(_ width: Int, _ height: Int) throws {
        let image = Image(width: width, height: height, red: 1, green: 2, blue: 3)
        let sizing = try ImageSizing(maxPixels: 64 * 64)
        let error = #expect(throws: DataError.self) { try sizing.fitted(image, path: "a.png") }
        #expect(error?.description.contains("a.png: \(width)x\(height) pixels") == true)
    }

    @Test func anImageOfTheRightSizeStaysAsItIs() throws {
        let pixels = (0..<32 * 16 * 3).map { UInt8(truncatingIfNeeded: $0 &* 37) }
        let image = Image(width: 32, height: 16, pixels: pixels)
        #expect(try ImageSizing().fitted(image, path: "") == image)
    }
}
