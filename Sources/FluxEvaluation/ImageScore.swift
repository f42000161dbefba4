public import Imaging

/// What became of one image.
public struct ImageScore: Encodable, Hashable, Sendable {
    /// The place of the expected image by distance; 1 is the nearest.
    public var latentsRank: Int
    /// The same by colors.
    public var histogramRank: Int
    /// Among how many images.
    public var pool: Int
    /// The color that was asked for, if one was.
    public var color: ColorName?
    /// The color that was seen, if one was asked for and there is one.
    public var seenColor: ColorName?

    /// Compares an image with the one that was expected.
    ///
    /// - Parameters:
    ///   - vectors: those of `image`.
    ///   - color: the color that was asked for, if one was.
    public init(
        _ image: Image, _ vectors: ImageVectors, expected: RetrievalPool.Expected,
        among pool: RetrievalPool, color: ColorName? = nil
    ) {
        latentsRank = pool.rank(of: expected, from: vectors, in: .latents)
        histogramRank = pool.rank(of: expected, from: vectors, in: .histogram)
        self.pool = pool.size(with: expected)
        self.color = color
        seenColor = color == nil ? nil : image.mainColor
    }
}
