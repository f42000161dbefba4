internal import CImageCodecs

struct JPEGCodec: ImageCodec {
    static let defaultQuality = 95
    /// From here on color keeps its full resolution.
    static let fullChroma = 90
    /// Bytes that a segment can hold, its length included.
    static let largestSegment = 0xFFFF

    func decode(_ bytes: [UInt8], alpha: ReadOptions.Alpha) throws -> Image {
        let frame = try JPEGFrame(bytes)
        let isCMYK = frame.components == 4
        let pixels = try Codec.pixels(
            .jpeg, width: frame.width, height: frame.height, channels: isCMYK ? 4 : 3
        ) { target, _, message in
            ci_jpeg_decode(
                bytes, bytes.count, target, UInt32(frame.width), UInt32(frame.height),
                isCMYK ? 1 : 0, message)
        }
        let colors = isCMYK ? Self.rgb(fromInks: pixels, areInverted: frame.isAdobe) : pixels
        return Image(width: frame.width, height: frame.height, pixels: colors)
    }

    func size(in bytes: [UInt8]) throws -> (width: Int, height: Int) {
        let frame = try JPEGFrame(bytes)
        return (frame.width, frame.height)
    }

    /// Files of Adobe's programs store 255 for no ink.
    private static func rgb(fromInks pixels: [UInt8], areInverted: Bool) -> [UInt8] {
        let flip: UInt8 = areInverted ? 0 : 255
        var colors: [UInt8] = []
        colors.reserveCapacity(pixels.count / 4 * 3)
        for start in stride(from: 0, to: pixels.count, by: 4) {
            let light = UInt32(pixels[start + 3] ^ flip)
            for channel in 0..<3 {
                colors.append(Image.by255(UInt32(pixels[start + channel] ^ flip) * light))
            }
        }
        return colors
    }

    func exif(in bytes: [UInt8]) -> Exif {
        for segment in JPEGSegments(bytes) where segment.marker == 0xE1 {
            let reader = ByteReader(segment.content)
            if reader.starts(with: "Exif\0\0", at: 0) {
                return Exif(tiff: segment.content.dropFirst(6))
            }
        }
        return Exif()
    }

    func metadata(in bytes: [UInt8]) throws -> [String: String] {
        _ = try JPEGFrame(bytes)
        var entries = exif(in: bytes).metadata
        for segment in JPEGSegments(bytes) where segment.marker == 0xFE {
            entries["Comment"] = String(decoding: segment.content, as: UTF8.self)
        }
        return entries
    }

    func encode(_ image: Image, metadata: [String: String], quality: Int?) throws -> [UInt8] {
        let quality = quality ?? Self.defaultQuality
        let bytes = try Codec.encoded(.jpeg) { sink, context, message in
            ci_jpeg_encode(
                image.pixels, UInt32(image.width), UInt32(image.height), Int32(quality),
                quality >= Self.fullChroma ? 1 : 0, sink, context, message)
        }
        guard !metadata.isEmpty else { return bytes }
        let content = Array("Exif\0\0".utf8) + Exif.tiff(holding: metadata)
        let size = content.count + 2
        guard size <= Self.largestSegment else {
            throw ImagingError(
                .notEncodable(
                    .jpeg, "\(size) bytes of metadata; at most \(Self.largestSegment) fit"))
        }
        // Readers want the note first, right behind the start marker.
        let head: [UInt8] = [0xFF, 0xE1, UInt8(size >> 8), UInt8(size & 0xFF)]
        return bytes[..<2] + head + content + bytes[2...]
    }
}

/// The segments before the pixels of a JPEG file.
private struct JPEGSegments: Sequence, IteratorProtocol {
    private let reader: ByteReader
    private var offset = 2

    init(_ bytes: [UInt8]) { reader = ByteReader(bytes[...]) }

    mutating func next() -> (marker: Int, content: ArraySlice<UInt8>)? {
        // Any number of fill bytes may precede a marker.
        while reader.integer(2, at: offset) == 0xFFFF { offset += 1 }
        guard reader.integer(1, at: offset) == 0xFF, let marker = reader.integer(1, at: offset + 1),
            marker != 0xDA, let size = reader.integer(2, at: offset + 2), size >= 2,
            let content = reader.slice(offset + 4, size - 2)
        else { return nil }
        offset += 2 + size
        return (marker, content)
    }
}

/// What the frame header of a JPEG file announces.
private struct JPEGFrame {
    private(set) var width = 0
    private(set) var height = 0
    private(set) var components = 0
    private(set) var isAdobe = false

    init(_ bytes: [UInt8]) throws {
        for segment in JPEGSegments(bytes) {
            let reader = ByteReader(segment.content)
            if segment.marker == 0xEE { isAdobe = isAdobe || reader.starts(with: "Adobe", at: 0) }
            guard Self.isFrame(segment.marker), components == 0 else { continue }
            height = reader.integer(2, at: 1) ?? 0
            width = reader.integer(2, at: 3) ?? 0
            components = reader.integer(1, at: 5) ?? 0
        }
        guard components > 0 else { throw ImagingError(.damaged(.jpeg, "no frame header")) }
    }

    /// Frame markers, without those of tables that share their range.
    private static func isFrame(_ marker: Int) -> Bool {
        0xC0...0xCF ~= marker && ![0xC4, 0xC8, 0xCC].contains(marker)
    }
}
