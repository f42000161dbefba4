/// Sizes that pictures take before a model sees them.
public enum ReferenceSize {
    /// The size to which DiffSynth brings a reference picture: about `area` pixels at nearly the
    /// same aspect ratio, both sides multiples of 32.
    ///
    /// Sides are rounded half to even; one that would vanish becomes 32.
    ///
    /// - Parameters:
    ///   - width: pixels of the picture at hand, positive.
    ///   - height: pixels of the picture at hand, positive.
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
