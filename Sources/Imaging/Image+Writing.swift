import FileSupport

extension Image {
    /// Writes the image in the format of the path's extension: png, jpg, jpeg or webp.
    ///
    /// The file appears complete or not at all. See ``encoded(as:metadata:quality:)`` for
    /// `metadata` and `quality`.
    ///
    /// - Throws: `ImagingError` where the image, metadata or extension does not fit;
    ///   `FileError` where the file cannot be written.
    public func write(
        to path: String, metadata: [String: String] = [:], quality: Int? = nil,
        overwrite: Bool = true
    ) throws {
        let bytes = try ImagingError.naming(path) {
            try encoded(
                as: ImageFormat.forWriting(path), metadata: metadata, quality: quality)
        }
        try AtomicFile.write(path, bytes: bytes, overwrite: overwrite)
    }

    /// The bytes of an image file.
    ///
    /// Metadata become text chunks of a PNG file (`tEXt` for Latin-1, `iTXt` for the rest), and
    /// one JSON object in the EXIF user comment of JPEG and WebP files.
    ///
    /// - Parameters:
    ///   - metadata: text entries; keys have 1 to 79 printable Latin-1 characters.
    ///   - quality: 1 to 100. Without it JPEG takes 95 and WebP is written without loss. JPEG
    ///     keeps full color resolution from 90 on and halves it below. PNG has no quality.
    /// - Throws: `ImagingError` where the image or the metadata do not fit into the format.
    public func encoded(
        as format: ImageFormat, metadata: [String: String] = [:], quality: Int? = nil
    ) throws -> [UInt8] {
        if let quality, !(1...100).contains(quality) { throw ImagingError(.badQuality(quality)) }
        try MetadataRule.check(metadata)
        return try format.codec.encode(self, metadata: metadata, quality: quality)
    }
}
