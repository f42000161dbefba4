/// Sizes that images take before a model sees them.
public enum ReferenceSize {
    /// The size that DiffSynth resizes a reference image to: about `area` pixels at nearly the
    /// same aspect ratio, both sides multiples of 32.
    ///
    /// Sides are rounded half to even; one that would vanish becomes 32.
    ///
    /// - Parameters:
    ///   - width: pixels of the image at hand, positive.
    ///   - height: pixels of the image at hand, positive.
    ///   - area: pixels aimed at.
    /// - Source: `calculate_dimensions` of DiffSynth's FLUX.2 edit image embedder.
    public static func diffSynth(
        width: Int, height: Int, area: Int = 1024 * 1024
    ) -> (width: Int, height: Int) {
        precondition(width > 0 && height > 0 && area > 0, "sides and area are positive")
        let ratio = Double(width) / Double(height)
        let wide = (Double(area) * ratio).squareRoot()
        return (multiple(of: 32, near: wide), multiple(of: 32, near: wide / ratio))
    }

    private static func multiple(of unit: Int, near length: Double) -> Int {
        max(Rounding.halfToEven(length / Double(unit)), 1) * unit
    }
}

extension Image {
    /// The image scaled down to an area if it has more, then cut around the center to sides that
    /// are multiples of a number.
    ///
    /// Sides are rounded down; one that would vanish becomes the multiple itself.
    ///
    /// - Source: `Flux2ImageProcessor`, diffusers.
    public func shrunkAndCropped(area: Int, multiple: Int) -> Image {
        let scale = (Double(area) / Double(width * height)).squareRoot()
        let small =
            scale >= 1
            ? self
            : resized(
                width: max(Int(Double(width) * scale), 1),
                height: max(Int(Double(height) * scale), 1), filter: .lanczos)
        let wide = max(small.width / multiple, 1) * multiple
        let high = max(small.height / multiple, 1) * multiple
        if wide > small.width || high > small.height {
            return small.resizedToCover(width: wide, height: high, filter: .lanczos)
        }
        return small.rectangle(
            x: (small.width - wide) / 2, y: (small.height - high) / 2, width: wide, height: high)
    }
}
