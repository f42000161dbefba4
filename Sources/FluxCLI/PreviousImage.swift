import ArgumentParser
import FileSupport
import Flux2
import Foundation
import Imaging

/// An image that was made before, with its settings.
struct PreviousImage {
    let path: String
    let image: Image
    let settings: GenerationMetadata
    private let format: ImageFormat

    /// - Throws: `ImagingError`; `ValidationError` for an image that this program did not write.
    init(_ path: String) throws {
        self.path = path
        image = try Image(contentsOf: path)
        settings = try GenerationMetadata(ofImage: path)
        format = ImageFileFormat.of(path) ?? .png
    }

    /// How two images differ.
    struct Difference: Encodable, CustomStringConvertible {
        /// Of 255 levels.
        var largest: Int
        /// Channels of pixels that differ, of so many.
        var differing: Int
        var values: Int
        var format: String

        var description: String {
            "largest difference \(largest) of 255 levels; \(differing) of \(values) values differ"
        }
    }

    /// What a new image would be read as from a file like this one, beside this one.
    ///
    /// - Throws: `ValidationError` for another size.
    func compared(with new: Image) throws -> Difference {
        guard new.width == image.width, new.height == image.height else {
            throw ValidationError(
                "the new image has \(new.width)x\(new.height) pixels, not "
                    + "\(image.width)x\(image.height)")
        }
        let read =
            format == .png
            ? new : try Image(decoding: new.encoded(as: format, quality: settings.quality))
        let differences = zip(read.pixels, image.pixels).map { abs(Int($0) - Int($1)) }
        return Difference(
            largest: differences.max() ?? 0, differing: differences.count { $0 > 0 },
            values: differences.count, format: format.rawValue)
    }
}

/// The format of a file that may be an image.
enum ImageFileFormat {
    /// - Returns: nil where the first bytes are those of no image that is read.
    static func of(_ path: String) -> ImageFormat? {
        // A pipe would be waited for.
        guard let file = try? MappedFile(path: path) else { return nil }
        return withExtendedLifetime(file) {
            ImageFormat(magicBytes: Array(file.bytes.prefix(16)))
        }
    }
}
