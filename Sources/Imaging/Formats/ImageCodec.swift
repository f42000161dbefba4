/// What an image file format can do. Errors do not name the file; callers add it.
protocol ImageCodec {
    func decode(_ bytes: [UInt8], alpha: ReadOptions.Alpha) throws -> Image
    /// What the header announces.
    func size(in bytes: [UInt8]) throws -> (width: Int, height: Int)
    /// What the camera noted; empty where there is nothing or it makes no sense.
    func exif(in bytes: [UInt8]) -> Exif
    func metadata(in bytes: [UInt8]) throws -> [String: String]
    func encode(_ image: Image, metadata: [String: String], quality: Int?) throws -> [UInt8]
}

extension ImageFormat {
    var codec: any ImageCodec {
        switch self {
        case .png: PNGCodec()
        case .jpeg: JPEGCodec()
        case .webp: WebPCodec()
        }
    }
}

/// What every text entry must fulfil, so that all formats can hold it.
enum MetadataRule {
    static func check(_ metadata: [String: String]) throws {
        for (key, value) in metadata {
            guard 1...79 ~= key.unicodeScalars.count, key.unicodeScalars.allSatisfy(isPrintable)
            else {
                throw ImagingError(
                    .badMetadata(key: key, "a key has 1 to 79 printable Latin-1 characters"))
            }
            guard !key.hasPrefix(" "), !key.hasSuffix(" "), !key.contains("  ") else {
                throw ImagingError(
                    .badMetadata(key: key, "a key has no spaces at its ends and none in a row"))
            }
            guard !value.unicodeScalars.contains("\0") else {
                throw ImagingError(.badMetadata(key: key, "a value has no zero characters"))
            }
        }
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        0x20...0x7E ~= scalar.value || 0xA1...0xFF ~= scalar.value
    }
}
