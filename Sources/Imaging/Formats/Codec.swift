internal import CImageCodecs

/// Calls into the C codecs.
enum Codec {
    /// Runs a function that fills a message when it fails.
    ///
    /// - Throws: what `fault` makes of the message.
    static func run(
        _ fault: (String) -> ImagingError.Reason, _ body: (UnsafeMutablePointer<CChar>) -> Int32
    ) throws {
        var message = [CChar](repeating: 0, count: Int(CI_MESSAGE_SIZE))
        guard body(&message) == 1 else {
            let text = message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:))
            throw ImagingError(fault(String(decoding: text, as: UTF8.self)))
        }
    }

    /// Buffers of this size are pages of zeros, fresh from the system, which take no memory until something
    /// is written: a few bytes of a damaged file may promise an image of any size.
    private static let untouched = 64 << 20

    /// Decodes into a buffer of `channels` bytes a pixel.
    static func pixels(
        _ format: ImageFormat, width: Int, height: Int, channels: Int,
        _ body: (UnsafeMutablePointer<UInt8>, Int, UnsafeMutablePointer<CChar>) -> Int32
    ) throws -> [UInt8] {
        try PixelLimit.check(width: width, height: height)
        let size = width * height * channels
        return try [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            if size < untouched { buffer.initialize(repeating: 0) }
            try run({ .damaged(format, $0) }) { message in
                buffer.baseAddress.map { body($0, size, message) } ?? 0
            }
            count = size
        }
    }

    /// Gathers what an encoder gives out.
    static func encoded(
        _ format: ImageFormat,
        _ body: (ci_sink, UnsafeMutableRawPointer, UnsafeMutablePointer<CChar>) -> Int32
    ) throws -> [UInt8] {
        var result: [UInt8] = []
        try withUnsafeMutablePointer(to: &result) { place in
            try run({ .notEncodable(format, $0) }) { message in
                body(
                    { context, bytes, size in
                        let place = context?.assumingMemoryBound(to: [UInt8].self)
                        place?.pointee.append(
                            contentsOf: UnsafeBufferPointer(start: bytes, count: size))
                    }, UnsafeMutableRawPointer(place), message)
            }
        }
        return result
    }
}

extension Image {
    /// Drops the fourth channel of RGBA pixels, or puts them on white or black with it.
    init(width: Int, height: Int, rgba: [UInt8], alpha: ReadOptions.Alpha) {
        let behind: UInt32 = alpha == .compositeOnBlack ? 0 : 255
        let pixels = [UInt8](unsafeUninitializedCapacity: 3 * width * height) { target, count in
            rgba.withUnsafeBufferPointer { source in
                var (from, to) = (0, 0)
                while from < source.count {
                    let opacity = alpha == .drop ? 255 : UInt32(source[from + 3])
                    for channel in 0..<3 {
                        let color = UInt32(source[from + channel])
                        target[to + channel] = Self.by255(
                            color * opacity + behind * (255 - opacity))
                    }
                    from += 4
                    to += 3
                }
            }
            count = 3 * width * height
        }
        self.init(width: width, height: height, pixels: pixels)
    }

    /// A product of two bytes, or a mixture of such, brought back to a byte as Pillow does it.
    static func by255(_ product: UInt32) -> UInt8 {
        let shifted = product + 128
        return UInt8(truncatingIfNeeded: (shifted >> 8 + shifted) >> 8)
    }
}
