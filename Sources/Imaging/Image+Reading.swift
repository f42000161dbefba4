/// How images are turned into upright, opaque 8-bit RGB.
public struct ReadOptions: Hashable, Sendable {
    /// What happens to the orientation that a camera noted in EXIF.
    public enum Orientation: Hashable, Sendable {
        /// Turns and mirrors the image so that it is upright.
        case apply
        /// Keeps the pixels as stored.
        case ignore
    }

    /// What happens to transparency: an alpha channel, or a transparent color.
    public enum Alpha: Hashable, Sendable {
        /// Puts the image on white.
        case compositeOnWhite
        /// Puts the image on black.
        case compositeOnBlack
        /// Keeps the colors behind transparent places.
        case drop
    }

    /// Whether the image is turned as its camera was held.
    public var orientation: Orientation
    /// What is behind transparent places.
    public var alpha: Alpha

    /// For masks, of which transparent places are kept, as black ones are.
    public static let mask = ReadOptions(alpha: .compositeOnBlack)

    /// Upright and on white unless told otherwise.
    public init(orientation: Orientation = .apply, alpha: Alpha = .compositeOnWhite) {
        self.orientation = orientation
        self.alpha = alpha
    }
}

/// The size of the largest image that is read, a guard against files that unpack to terabytes.
enum PixelLimit {
    static let side = 16_384
    static let count = 1 << 28

    static func check(width: Int, height: Int) throws {
        if width == 0 || height == 0 { throw ImagingError(.noPixels) }
        // The sides come first, so that the product cannot overflow.
        guard width <= side, height <= side, width * height <= count else {
            throw ImagingError(.tooLarge(width: width, height: height))
        }
    }
}

extension Image {
    /// Reads a PNG, JPEG or WebP file; its first bytes, not its name, tell the format.
    ///
    /// Gray and palette images become RGB. Of 16-bit values the high byte is kept. CMYK becomes
    /// RGB by `(255 - ink) * (255 - black) / 255`. Color profiles are not applied.
    ///
    /// - Throws: `ImagingError` where the file is missing, damaged, animated, or larger than
    ///   16384 pixels on a side or 2^28 in all.
    public init(contentsOf path: String, options: ReadOptions = ReadOptions()) throws {
        self = try ImagingError.naming(path) {
            try Image(decoding: ImageFile.bytes(of: path), options: options)
        }
    }

    /// Decodes the bytes of a PNG, JPEG or WebP file, as ``init(contentsOf:options:)`` does.
    ///
    /// - Throws: `ImagingError` without a path.
    public init(decoding bytes: [UInt8], options: ReadOptions = ReadOptions()) throws {
        let codec = try ImageFormat(of: bytes).codec
        let stored = try codec.decode(bytes, alpha: options.alpha)
        switch options.orientation {
        case .ignore: self = stored
        case .apply: self = stored.upright(from: codec.exif(in: bytes).orientation)
        }
    }

    /// Reads the text entries that an image file carries.
    ///
    /// PNG: all text chunks. JPEG and WebP: the entries that ``write(to:metadata:quality:overwrite:)``
    /// put there; another program's user comment is found under `UserComment`, and the
    /// comment of a JPEG file under `Comment`.
    ///
    /// - Throws: `ImagingError` where the file is not a readable image.
    public static func readMetadata(of path: String) throws -> [String: String] {
        try ImagingError.naming(path) {
            try readMetadata(in: ImageFile.bytes(of: path))
        }
    }

    /// Reads the text entries in the bytes of an image file.
    ///
    /// - Throws: `ImagingError` without a path.
    public static func readMetadata(in bytes: [UInt8]) throws -> [String: String] {
        try ImageFormat(of: bytes).codec.metadata(in: bytes)
    }
}

extension ImageFormat {
    /// The format of a file's bytes.
    ///
    /// - Throws: `ImagingError` for no bytes and for bytes of another kind.
    init(of bytes: [UInt8]) throws {
        if bytes.isEmpty { throw ImagingError(.empty) }
        guard let format = ImageFormat(magicBytes: bytes) else {
            throw ImagingError(.unknownFormat)
        }
        self = format
    }
}
