/// The pictures among which the one that was expected is looked for.
public struct NeighbourPool: Sendable {
    private let pictures: [PictureVectors]

    /// Takes pictures of one size.
    public init(_ pictures: [PictureVectors]) { self.pictures = pictures }

    /// The picture that should be nearest.
    public enum Expected: Sendable {
        /// One of the pool's, by its place there.
        case member(Int)
        /// One that joins the pool for this search.
        case guest(PictureVectors)

        fileprivate var place: Int? {
            if case .member(let index) = self { return index }
            return nil
        }
    }

    /// Where the expected picture lies.
    public func vectors(of expected: Expected) -> PictureVectors {
        switch expected {
        case .member(let index): pictures[index]
        case .guest(let vectors): vectors
        }
    }

    /// How many pictures a search is among.
    public func size(with expected: Expected) -> Int {
        expected.place == nil ? pictures.count + 1 : pictures.count
    }

    /// The place of the expected picture among all by distance from another one; 1 is the nearest.
    ///
    /// Pictures at the same distance come before it, so that nothing is won by a space in which all
    /// are alike.
    public func rank(
        of expected: Expected, from picture: PictureVectors, in space: PictureSpace
    ) -> Int {
        let limit = space.distance(picture, vectors(of: expected))
        // Written this way round, what is no number counts as nearer too.
        return 1
            + pictures.indices.count { index in
                expected.place != index && !(space.distance(picture, pictures[index]) > limit)
            }
    }
}
