internal import CImageCodecs

struct WebPCodec: ImageCodec {
    func decode(_ bytes: [UInt8], alpha: ReadOptions.Alpha) throws -> Image {
        let header = try header(of: bytes)
        if header.animated != 0 { throw ImagingError(.unsupported(.webp, "animated")) }
        let (width, height) = (Int(header.width), Int(header.height))
        let pixels = try Codec.pixels(
            .webp, width: width, height: height, channels: Int(header.channels)
        ) { ci_webp_decode(bytes, bytes.count, $0, $1, $2) }
        return header.channels == 3
            ? Image(width: width, height: height, pixels: pixels)
            : Image(width: width, height: height, rgba: pixels, alpha: alpha)
    }

    private func header(of bytes: [UInt8]) throws -> ci_header {
        var header = ci_header()
        try Codec.run({ .damaged(.webp, $0) }) {
            ci_webp_header(bytes, bytes.count, &header, $0)
        }
        return header
    }

    func size(in bytes: [UInt8]) throws -> (width: Int, height: Int) {
        let header = try header(of: bytes)
        return (Int(header.width), Int(header.height))
    }

    func exif(in bytes: [UInt8]) -> Exif {
        let reader = ByteReader(bytes[...], isBigEndian: false)
        var offset = 12
        while let size = reader.integer(4, at: offset + 4) {
            if reader.starts(with: "EXIF", at: offset), var tiff = reader.slice(offset + 8, size) {
                // Some programs put the prefix of JPEG files here too.
                if tiff.starts(with: "Exif\0\0".utf8) { tiff = tiff.dropFirst(6) }
                return Exif(tiff: tiff)
            }
            offset += 8 + size + size % 2
        }
        return Exif()
    }

    func metadata(in bytes: [UInt8]) throws -> [String: String] {
        _ = try header(of: bytes)
        return exif(in: bytes).metadata
    }

    func encode(_ image: Image, metadata: [String: String], quality: Int?) throws -> [UInt8] {
        let bytes = try Codec.encoded(.webp) { sink, context, message in
            ci_webp_encode(
                image.pixels, UInt32(image.width), UInt32(image.height), Int32(quality ?? 0),
                sink, context, message)
        }
        guard !metadata.isEmpty else { return bytes }
        return extended(bytes, image, Exif.tiff(holding: metadata))
    }

    /// Puts the one chunk of a simple file into an extended one with a note behind it.
    private func extended(_ simple: [UInt8], _ image: Image, _ note: [UInt8]) -> [UInt8] {
        let hasNote: UInt8 = 0x08
        let features: [UInt8] =
            [hasNote, 0, 0, 0] + littleEndian(image.width - 1, 3)
            + littleEndian(image.height - 1, 3)
        let body =
            Array("WEBP".utf8) + chunk("VP8X", features) + simple[12...] + chunk("EXIF", note)
        return Array("RIFF".utf8) + littleEndian(body.count, 4) + body
    }

    private func chunk(_ name: String, _ content: [UInt8]) -> [UInt8] {
        Array(name.utf8) + littleEndian(content.count, 4) + content
            + Array(repeating: 0, count: content.count % 2)
    }

    private func littleEndian(_ value: Int, _ size: Int) -> [UInt8] {
        (0..<size).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
}
