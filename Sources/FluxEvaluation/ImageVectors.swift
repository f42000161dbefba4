public import Imaging

/// Where an image lies in the spaces that distances between images are measured in.
public struct ImageVectors: Hashable, Sendable {
    /// The autoencoder's normalized latents, in any order that all images share.
    public let latents: [Float]
    /// See ``ColorHistogram``.
    public let histogram: [Float]

    /// Takes the latents that an autoencoder has made of an image, and counts its colors.
    public init(of image: Image, latents: [Float]) {
        self.latents = latents
        histogram = ColorHistogram.of(image)
    }
}

/// A way to measure how far two images are apart.
public enum ImageSpace: CaseIterable, Hashable, Sendable {
    /// The squared distance of normalized latents: shapes and what an autoencoder knows of them.
    case latents
    /// The sum of absolute differences of color histograms.
    case histogram

    /// The distance of two images of one size; not below zero.
    public func distance(_ first: ImageVectors, _ second: ImageVectors) -> Float {
        switch self {
        case .latents: Self.sum(first.latents, second.latents) { $0 * $0 }
        case .histogram: Self.sum(first.histogram, second.histogram, abs)
        }
    }

    @inline(__always)
    private static func sum(
        _ first: [Float], _ second: [Float], _ term: (Float) -> Float
    ) -> Float {
        precondition(first.count == second.count, "images that are compared have one size")
        var sum: Float = 0
        for index in first.indices { sum += term(first[index] - second[index]) }
        return sum
    }
}
