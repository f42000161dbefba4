/// An 8-bit RGB image.
///
/// Rows follow each other from the top without padding; a pixel is three bytes, red first.
public struct Image: Hashable, Sendable {
    /// Pixels in a row.
    public let width: Int
    /// Rows.
    public let height: Int
    /// The `3 * width * height` bytes of all pixels.
    public var pixels: [UInt8] {
        didSet { precondition(pixels.count == 3 * width * height, Self.countRule) }
    }

    /// Takes pixels from memory; sides are positive and `pixels` has `3 * width * height` bytes.
    public init(width: Int, height: Int, pixels: [UInt8]) {
        precondition(width > 0 && height > 0, "an image has positive sides")
        precondition(pixels.count == 3 * width * height, Self.countRule)
        self.width = width
        self.height = height
        self.pixels = pixels
    }

    /// Fills an image with one color.
    public init(width: Int, height: Int, red: UInt8, green: UInt8, blue: UInt8) {
        precondition(width > 0 && height > 0, "an image has positive sides")
        let pixels = [UInt8](unsafeUninitializedCapacity: 3 * width * height) { buffer, count in
            var at = 0
            while at < 3 * width * height {
                buffer.initializeElement(at: at, to: red)
                buffer.initializeElement(at: at + 1, to: green)
                buffer.initializeElement(at: at + 2, to: blue)
                at += 3
            }
            count = at
        }
        self.init(width: width, height: height, pixels: pixels)
    }

    private static let countRule = "an image has 3 * width * height bytes"
}
