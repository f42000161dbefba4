extension Image {
    /// The size that the header of a PNG, JPEG or WebP file announces; no pixel is decoded.
    ///
    /// - Parameter orientation: as stored, where an image that a camera took upright may have its sides
    ///   the other way round; or upright, as it is read.
    /// - Throws: `ImagingError` where the file is missing or its header makes no sense.
    public static func storedSize(
        of path: String, orientation: ReadOptions.Orientation = .ignore
    ) throws -> (width: Int, height: Int) {
        try ImagingError.naming(path) {
            try storedSize(in: ImageFile.bytes(of: path), orientation: orientation)
        }
    }

    /// The size that the header in the bytes of an image file announces.
    ///
    /// - Throws: `ImagingError` without a path.
    public static func storedSize(
        in bytes: [UInt8], orientation: ReadOptions.Orientation = .ignore
    ) throws -> (width: Int, height: Int) {
        let codec = try ImageFormat(of: bytes).codec
        let size = try codec.size(in: bytes)
        try PixelLimit.check(width: size.width, height: size.height)
        guard orientation == .apply, codec.exif(in: bytes).orientation.swapsSides else {
            return size
        }
        return (size.height, size.width)
    }
}
