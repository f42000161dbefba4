internal import CImageCodecs

struct PNGCodec: ImageCodec {
    func decode(_ bytes: [UInt8], alpha: ReadOptions.Alpha) throws -> Image {
        let header = try header(of: bytes)
        let (width, height) = (Int(header.width), Int(header.height))
        let pixels = try Codec.pixels(
            .png, width: width, height: height, channels: Int(header.channels)
        ) { ci_png_decode(bytes, bytes.count, $0, $1, $2) }
        return header.channels == 3
            ? Image(width: width, height: height, pixels: pixels)
            : Image(width: width, height: height, rgba: pixels, alpha: alpha)
    }

    private func header(of bytes: [UInt8]) throws -> ci_header {
        var header = ci_header()
        try Codec.run({ .damaged(.png, $0) }) {
            ci_png_header(bytes, bytes.count, &header, $0)
        }
        return header
    }

    func size(in bytes: [UInt8]) throws -> (width: Int, height: Int) {
        let header = try header(of: bytes)
        return (Int(header.width), Int(header.height))
    }

    func exif(in bytes: [UInt8]) -> Exif {
        let reader = ByteReader(bytes[...])
        var offset = 8
        while let size = reader.integer(4, at: offset) {
            if reader.starts(with: "eXIf", at: offset + 4) {
                return reader.slice(offset + 8, size).map(Exif.init(tiff:)) ?? Exif()
            }
            offset += size + 12
        }
        return Exif()
    }

    func metadata(in bytes: [UInt8]) throws -> [String: String] {
        var texts: [String: String] = [:]
        try withUnsafeMutablePointer(to: &texts) { place in
            try Codec.run({ .damaged(.png, $0) }) { message in
                ci_png_texts(
                    bytes, bytes.count,
                    { context, key, value, size, isUTF8 in
                        guard let key, let context else { return }
                        let texts = context.assumingMemoryBound(to: [String: String].self)
                        texts.pointee[String(cString: key)] = PNGCodec.text(
                            UnsafeRawBufferPointer(start: value, count: size),
                            isUTF8: isUTF8 != 0)
                    }, UnsafeMutableRawPointer(place), message)
            }
        }
        return texts
    }

    private static func text(_ bytes: UnsafeRawBufferPointer, isUTF8: Bool) -> String {
        if isUTF8 { return String(decoding: bytes, as: UTF8.self) }
        return String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
    }

    func encode(_ image: Image, metadata: [String: String], quality: Int?) throws -> [UInt8] {
        let entries = TextEntries(metadata)
        return try Codec.encoded(.png) { sink, context, message in
            entries.withTexts { texts in
                ci_png_encode(
                    image.pixels, UInt32(image.width), UInt32(image.height), texts.baseAddress,
                    texts.count, sink, context, message)
            }
        }
    }
}

/// Text entries as C strings: Latin-1 where that suffices, as most programs read no other.
private struct TextEntries {
    private var entries: [(key: [CChar], value: [CChar], isUTF8: Bool)]

    init(_ metadata: [String: String]) {
        entries = metadata.sorted { $0.key < $1.key }.map { key, value in
            let latin = Self.latin1(value)
            return (Self.latin1(key) ?? [0], latin ?? Array(value.utf8CString), latin == nil)
        }
    }

    private static func latin1(_ text: String) -> [CChar]? {
        var bytes: [CChar] = []
        for scalar in text.unicodeScalars {
            guard let byte = UInt8(exactly: scalar.value) else { return nil }
            bytes.append(CChar(bitPattern: byte))
        }
        return bytes + [0]
    }

    /// Lends the entries' memory to `body`.
    func withTexts<Result>(_ body: (UnsafeBufferPointer<ci_text>) -> Result) -> Result {
        var texts: [ci_text] = []
        func lend(_ rest: ArraySlice<(key: [CChar], value: [CChar], isUTF8: Bool)>) -> Result {
            guard let entry = rest.first else { return texts.withUnsafeBufferPointer(body) }
            return entry.key.withUnsafeBufferPointer { key in
                entry.value.withUnsafeBufferPointer { value in
                    texts.append(
                        ci_text(
                            key: key.baseAddress, value: value.baseAddress,
                            utf8: entry.isUTF8 ? 1 : 0))
                    return lend(rest.dropFirst())
                }
            }
        }
        return lend(entries[...])
    }
}
