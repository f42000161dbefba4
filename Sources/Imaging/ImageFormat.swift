/// An image file format that is read and written.
public enum ImageFormat: String, CaseIterable, Hashable, Sendable {
    /// JPEG loses detail, and so does WebP where a quality is given; PNG never does.
    case png, jpeg, webp

    /// The format that a path's extension stands for, in either case; nil where it is unknown.
    public init?(path: String) {
        switch Self.fileExtension(of: path).lowercased() {
        case "png": self = .png
        case "jpg", "jpeg": self = .jpeg
        case "webp": self = .webp
        default: return nil
        }
    }

    /// The format that a file's first bytes show; nil where they are none of the three.
    public init?(magicBytes bytes: [UInt8]) {
        if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
            self = .png
        } else if bytes.starts(with: [0xFF, 0xD8, 0xFF]) {
            self = .jpeg
        } else if bytes.starts(with: Array("RIFF".utf8)),
            bytes.dropFirst(8).starts(with: Array("WEBP".utf8))
        {
            self = .webp
        } else {
            return nil
        }
    }

    /// The extensions that ``init(path:)`` knows.
    public static let knownExtensions = ["png", "jpg", "jpeg", "webp"]

    /// The format's usual name.
    public var title: String {
        switch self {
        case .png: "PNG"
        case .jpeg: "JPEG"
        case .webp: "WebP"
        }
    }

    /// The format to write `path` in.
    ///
    /// - Throws: `ImagingError` that lists the known extensions.
    public static func forWriting(_ path: String) throws -> ImageFormat {
        guard let format = ImageFormat(path: path) else {
            throw ImagingError(.unknownExtension(fileExtension(of: path)), path: path)
        }
        return format
    }

    private static func fileExtension(of path: String) -> String {
        let name = path.split(separator: "/").last ?? ""
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return "" }
        return String(name[name.index(after: dot)...])
    }
}
