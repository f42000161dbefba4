public import Imaging

/// Where a picture lies in the spaces that distances between pictures are measured in.
public struct PictureVectors: Hashable, Sendable {
    /// The autoencoder's normalised latents, in any order that all pictures share.
    public let latents: [Float]
    /// See ``ColourHistogram``.
    public let histogram: [Float]

    /// Takes the latents that an autoencoder has made of a picture, and counts its colours.
    public init(of image: Image, latents: [Float]) {
        self.latents = latents
        histogram = ColourHistogram.of(image)
    }
}

/// A way to measure how far two pictures are apart.
public enum PictureSpace: CaseIterable, Hashable, Sendable {
    /// The squared distance of normalised latents: shapes and what an autoencoder knows of them.
    case latents
    /// The sum of absolute differences of colour histograms.
    case histogram

    /// The distance of two pictures of one size; not below zero.
    public func distance(_ first: PictureVectors, _ second: PictureVectors) -> Float {
        switch self {
        case .latents: Self.sum(first.latents, second.latents) { $0 * $0 }
        case .histogram: Self.sum(first.histogram, second.histogram, abs)
        }
    }

    @inline(__always)
    private static func sum(
        _ first: [Float], _ second: [Float], _ term: (Float) -> Float
    ) -> Float {
        precondition(first.count == second.count, "pictures that are compared have one size")
        var sum: Float = 0
        for index in first.indices { sum += term(first[index] - second[index]) }
        return sum
    }
}
