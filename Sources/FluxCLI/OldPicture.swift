import ArgumentParser
import Files
import Flux2
import Foundation
import Imaging

/// A picture that was made before, with its settings.
struct OldPicture {
    let path: String
    let image: Image
    let settings: Settings
    private let format: ImageFormat

    /// - Throws: `ImagingError`; `ValidationError` for a picture that this program did not write.
    init(_ path: String) throws {
        self.path = path
        image = try Image(contentsOf: path)
        settings = try Settings(ofPicture: path)
        format = PictureFormat.of(path) ?? .png
    }

    /// How two pictures differ.
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

    /// What a new picture would be read as from a file like this one, beside this one.
    ///
    /// - Throws: `ValidationError` for another size.
    func compared(with new: Image) throws -> Difference {
        guard new.width == image.width, new.height == image.height else {
            throw ValidationError(
                "the new picture has \(new.width)x\(new.height) pixels, not "
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

/// The format of a file that may be a picture.
enum PictureFormat {
    /// - Returns: nil where the first bytes are those of no picture that is read.
    static func of(_ path: String) -> ImageFormat? {
        // A pipe would be waited for.
        guard let file = try? MappedFile(path: path) else { return nil }
        return withExtendedLifetime(file) {
            ImageFormat(magicBytes: Array(file.bytes.prefix(16)))
        }
    }
}
