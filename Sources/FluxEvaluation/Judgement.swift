public import Imaging

/// What became of one picture.
public struct Judgement: Encodable, Hashable, Sendable {
    /// The place of the expected picture by distance; 1 is the nearest.
    public var latentsRank: Int
    /// The same by colours.
    public var histogramRank: Int
    /// Among how many pictures.
    public var pool: Int
    /// The colour that was asked for, if one was.
    public var color: ColourName?
    /// The colour that was seen, if one was asked for and there is one.
    public var seenColor: ColourName?

    /// Compares a picture with the one that was expected.
    ///
    /// - Parameters:
    ///   - vectors: those of `image`.
    ///   - color: the colour that was asked for, if one was.
    public init(
        _ image: Image, _ vectors: PictureVectors, expected: NeighbourPool.Expected,
        among pool: NeighbourPool, color: ColourName? = nil
    ) {
        latentsRank = pool.rank(of: expected, from: vectors, in: .latents)
        histogramRank = pool.rank(of: expected, from: vectors, in: .histogram)
        self.pool = pool.size(with: expected)
        self.color = color
        seenColor = color == nil ? nil : image.mainColour
    }
}
