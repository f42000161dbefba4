/// An image that cannot be read, changed or written.
public struct ImagingError: Error, Hashable, CustomStringConvertible {
    /// What is wrong with the image or with what was asked of it.
    public enum Reason: Hashable, Sendable {
        /// The file cannot be opened, with the system's reason.
        case unreadable(String)
        /// There are no bytes.
        case empty
        /// The first bytes are those of no known format.
        case unknownFormat
        /// A path to write to ends in this, which stands for no known format.
        case unknownExtension(String)
        /// A side is zero.
        case noPixels
        /// More than 16384 pixels on a side, or 2^28 in all.
        case tooLarge(width: Int, height: Int)
        /// The codec gave up, with its own words.
        case damaged(ImageFormat, String)
        /// A kind of this format that is not read, such as animated WebP.
        case unsupported(ImageFormat, String)
        /// The format has no room for the image or its metadata.
        case notEncodable(ImageFormat, String)
        /// A quality outside 1 to 100.
        case badQuality(Int)
        /// A key or value that files cannot carry, with the rule that it breaks.
        case badMetadata(key: String, String)
        /// A rectangle that is empty or leaves the image, whose width and height `of` gives.
        case outsideOfTheImage(x: Int, y: Int, width: Int, height: Int, of: [Int])
        /// A contact sheet of nothing.
        case noImages
    }

    /// What is wrong; `description` puts it into words.
    public var reason: Reason
    /// The file; nil for bytes in memory.
    public var path: String?

    /// Tells what is wrong, and with which file where there is one.
    public init(_ reason: Reason, path: String? = nil) {
        self.reason = reason
        self.path = path
    }

    public var description: String {
        let line = path.map { "\($0): \(text)" } ?? text
        return String(line.map { $0.isNewline ? " " : $0 })
    }

    private var text: String {
        switch reason {
        case .unreadable(let why): "cannot be read: \(why)"
        case .empty: "the file is empty; expected a PNG, JPEG or WebP image"
        case .unknownFormat: "is not a PNG, JPEG or WebP image"
        case .unknownExtension(let name):
            "unknown image extension '\(name)'; known are "
                + ImageFormat.knownExtensions.map { ".\($0)" }.joined(separator: ", ")
        case .noPixels: "the image has no pixels: a side is zero"
        case .tooLarge(let width, let height):
            "the image has \(width)x\(height) pixels; at most \(PixelLimit.side) on a side"
                + " and \(PixelLimit.count) in all are read"
        case .damaged(let format, let why): "damaged \(format.title) file: \(why)"
        case .unsupported(let format, let what): "\(what) \(format.title) files are not supported"
        case .notEncodable(let format, let why): "cannot be written as \(format.title): \(why)"
        case .badQuality(let quality): "quality must be 1 to 100, not \(quality)"
        case .badMetadata(let key, let why): "metadata '\(key)': \(why)"
        case .outsideOfTheImage(let x, let y, let width, let height, let size):
            "the rectangle of \(width)x\(height) at (\(x), \(y)) does not lie in the image of "
                + size.map(String.init).joined(separator: "x")
        case .noImages: "a contact sheet needs at least one image"
        }
    }

    /// Runs `body` and names the file in its error.
    static func naming<Result>(_ path: String?, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch var error as ImagingError {
            error.path = error.path ?? path
            throw error
        }
    }
}
