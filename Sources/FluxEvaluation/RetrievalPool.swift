/// The images among which the one that was expected is looked for.
public struct RetrievalPool: Sendable {
    private let images: [ImageVectors]

    /// Takes images of one size.
    public init(_ images: [ImageVectors]) { self.images = images }

    /// The image that should be nearest.
    public enum Expected: Sendable {
        /// One of the pool's, by its place there.
        case member(Int)
        /// One that joins the pool for this search.
        case guest(ImageVectors)

        fileprivate var place: Int? {
            if case .member(let index) = self { return index }
            return nil
        }
    }

    /// Where the expected image lies.
    public func vectors(of expected: Expected) -> ImageVectors {
        switch expected {
        case .member(let index): images[index]
        case .guest(let vectors): vectors
        }
    }

    /// How many images a search is among.
    public func size(with expected: Expected) -> Int {
        expected.place == nil ? images.count + 1 : images.count
    }

    /// The place of the expected image among all by distance from another one; 1 is the nearest.
    ///
    /// Images at the same distance come before it, so that nothing is won by a space in which all
    /// are alike.
    public func rank(
        of expected: Expected, from image: ImageVectors, in space: ImageSpace
    ) -> Int {
        let limit = space.distance(image, vectors(of: expected))
        // Written this way round, what is NaN counts as nearer too.
        return 1
            + images.indices.count { index in
                expected.place != index && !(space.distance(image, images[index]) > limit)
            }
    }
}
