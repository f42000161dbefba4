internal import Domains
internal import Flux2
public import Imaging

/// How large the images of a data set are made.
///
/// - Source: `ImageCropAndResize`, DiffSynth-Studio.
public struct ImageSizing: Hashable, Sendable {
    /// Both given: every image gets this size.
    public var height: Int?
    /// Both given: every image gets this size.
    public var width: Int?
    /// The largest area otherwise, in pixels.
    public var maxPixels: Int

    /// A fixed size where both sides are given, else that of the image up to an area.
    ///
    /// - Throws: `DataError` for fixed sides that are no multiples of 16.
    public init(height: Int? = nil, width: Int? = nil, maxPixels: Int = 1024 * 1024) throws {
        self.height = height
        self.width = width
        self.maxPixels = maxPixels
        let domain = NumericSetting.maxPixels.domain
        guard domain.contains(maxPixels) else {
            throw DataError(
                path: "--max_pixels", reason: .unfit("must be \(domain), not \(maxPixels)"))
        }
        guard let height, let width else { return }
        for (name, side) in [("height", height), ("width", width)]
        where side < 16 || side > GenerationRequest.largestSide || side % 16 != 0 {
            throw DataError(
                path: "--\(name)",
                reason: .unfit("must be a multiple of 16 up to 16384, not \(side)"))
        }
    }

    /// The size that an image gets; never larger than it is, unless a size is fixed.
    public func size(width: Int, height: Int) -> (width: Int, height: Int) {
        if let fixedHeight = self.height, let fixedWidth = self.width {
            return (fixedWidth, fixedHeight)
        }
        var (wide, high) = (width, height)
        if wide * high > maxPixels {
            let scale = (Double(wide * high) / Double(maxPixels)).squareRoot()
            (wide, high) = (Int(Double(wide) / scale), Int(Double(high) / scale))
        }
        return (wide / 16 * 16, high / 16 * 16)
    }

    /// The image scaled to cover its size, and cut to it.
    ///
    /// - Throws: `DataError` naming `path` for an image with a side below 16 pixels.
    public func fitted(_ image: Image, path: String) throws -> Image {
        let size = size(width: image.width, height: image.height)
        guard size.width > 0, size.height > 0 else {
            throw DataError(
                path: path,
                reason: .image(
                    "\(image.width)x\(image.height) pixels leave a side of less than 16"))
        }
        return image.resizedToCover(width: size.width, height: size.height, filter: .bilinear)
    }
}
