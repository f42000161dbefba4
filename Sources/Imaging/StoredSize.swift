extension Image {
    /// The size that the header of a PNG, JPEG or WebP file announces, as stored: a picture that a
    /// camera took upright may have its sides the other way round.
    ///
    /// - Throws: `ImagingError` where the file is missing or its header makes no sense.
    public static func storedSize(of path: String) throws -> (width: Int, height: Int) {
        try ImagingError.naming(path) {
            let bytes = try PictureFile.bytes(of: path)
            let size = try ImageFormat(of: bytes).codec.size(in: bytes)
            try PixelLimit.check(width: size.width, height: size.height)
            return size
        }
    }
}
