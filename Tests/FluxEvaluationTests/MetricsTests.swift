import Foundation
import Imaging
import Testing

@testable import FluxEvaluation

@Suite("Neighbors of an image")
struct RetrievalPoolTests {
    private static let paper = Image(width: 16, height: 16, red: 255, green: 255, blue: 255)

    /// A point whose image is always the same.
    private static func point(_ place: Float...) -> ImageVectors {
        ImageVectors(of: paper, latents: place)
    }

    private let pool = RetrievalPool([
        point(0, 0), point(1, 0), point(3, 0), point(0, 10), point(0, 11), point(0, 12),
    ])

    private func rank(_ expected: RetrievalPool.Expected, _ image: ImageVectors) -> Int {
        pool.rank(of: expected, from: image, in: .latents)
    }

    @Test func theSameImageIsTheNearest() {
        #expect(rank(.member(2), Self.point(3, 0)) == 1)
    }

    @Test func thoseNearerComeBefore() {
        #expect(rank(.member(0), Self.point(0.8, 0)) == 2)
        #expect(rank(.member(2), Self.point(0.8, 0)) == 3)
        #expect(rank(.member(5), Self.point(0, 0)) == 6)
    }

    @Test func distancesAreSquared() {
        #expect(ImageSpace.latents.distance(Self.point(1, 2), Self.point(-2, 6)) == 25)
        // By sums of differences the other one would be nearer: 5 against 6.
        let pool = RetrievalPool([Self.point(3, 3), Self.point(5, 0)])
        #expect(pool.rank(of: .member(0), from: Self.point(0, 0), in: .latents) == 1)
    }

    @Test func aGuestJoinsThePool() {
        #expect(pool.size(with: .member(0)) == 6)
        #expect(pool.size(with: .guest(Self.point(2, 0))) == 7)
        #expect(rank(.guest(Self.point(2, 0)), Self.point(2, 0.4)) == 1)
        #expect(rank(.guest(Self.point(2, 0)), Self.point(1.2, 0)) == 2)
    }

    @Test func nothingIsWonWhereAllAreAlike() {
        #expect(pool.rank(of: .member(0), from: Self.point(0, 0), in: .histogram) == 6)
        #expect(rank(.member(0), Self.point(.nan, 0)) == 6)
    }

    @Test func colorsAreASpaceOfTheirOwn() {
        let (red, blue) = (Image.disc(.red, on: .white), Image.disc(.blue, on: .white))
        let pool = RetrievalPool([
            ImageVectors(of: red, latents: [0]), ImageVectors(of: blue, latents: [1]),
        ])
        let odd = ImageVectors(of: .disc(.blue, on: .white, radius: 20), latents: [0])
        #expect(pool.rank(of: .member(1), from: odd, in: .histogram) == 1)
        #expect(pool.rank(of: .member(1), from: odd, in: .latents) == 2)
    }
}

@Suite("Noise of an autoencoder")
struct PSNRTests {
    private let gray = Image(width: 20, height: 10, red: 100, green: 100, blue: 100)

    @Test func knownNoiseHasItsDecibels() {
        var noisy = gray
        for at in noisy.pixels.indices { noisy.pixels[at] = at.isMultiple(of: 2) ? 105 : 95 }
        #expect(abs(gray.psnr(against: noisy) - 34.1514) < 1e-3)
        #expect(gray.psnr(against: noisy) == noisy.psnr(against: gray))
        let black = Image(width: 20, height: 10, red: 0, green: 0, blue: 0)
        let white = Image(width: 20, height: 10, red: 255, green: 255, blue: 255)
        #expect(black.psnr(against: white) == 0)
    }

    @Test func equalImagesHaveTheMostThatEightBitsCanShow() {
        var near = gray
        near.pixels[7] += 1
        #expect(abs(gray.psnr(against: gray) - 58.9226) < 1e-3)
        #expect(near.psnr(against: gray) == gray.psnr(against: gray))
    }
}

@Suite("Figures of many images")
struct MetricsTests {
    /// A judgment with chosen ranks.
    private func score(
        _ latents: Int, _ histogram: Int, _ color: ColorName? = nil, saw seen: ColorName? = nil
    ) -> ImageScore {
        let image = Image.disc(.red, on: .white)
        var score = ImageScore(
            image, .only(image), expected: .member(0), among: RetrievalPool([.only(image)]),
            color: color)
        (score.latentsRank, score.histogramRank) = (latents, histogram)
        (score.pool, score.seenColor) = (10, seen)
        return score
    }

    @Test func countFirstAndFirstFive() {
        let metrics = Metrics(
            of: [score(1, 6), score(2, 5), score(5, 1), score(6, 9)])
        #expect(metrics.latents == .init(top1: 0.25, top5: 0.75))
        #expect(metrics.histogram == .init(top1: 0.25, top5: 0.5))
        #expect(metrics.color == nil)
    }

    @Test func countColorsWhereOneWasAskedFor() {
        let metrics = Metrics(of: [
            score(1, 1), score(1, 1, .red, saw: .red), score(1, 1, .red, saw: .blue),
            score(1, 1, .red), score(1, 1, .pink, saw: .pink),
        ])
        #expect(metrics.color == 0.5)
    }

    @Test func chanceFollowsFromThePool() {
        var small = score(1, 1, .red)
        small.pool = 4
        let chance = Metrics(ofChanceFor: [score(1, 1), small])
        #expect(abs(chance.latents.top1 - 0.175) < 1e-9)
        #expect(chance.histogram.top5 == 0.75)
        #expect(chance.color == 1.0 / 7)
    }

    @Test func aJudgmentLooksAtTheImage() {
        let (red, blue) = (Image.disc(.red, on: .white), Image.disc(.blue, on: .white))
        let vectors = [red, blue].enumerated().map { index, image in
            ImageVectors(of: image, latents: [Float(index)])
        }
        let pool = RetrievalPool(vectors)
        func judge(_ image: Image, _ index: Int, color: ColorName?) -> ImageScore {
            ImageScore(image, vectors[index], expected: .member(0), among: pool, color: color)
        }
        let (right, wrong) = (judge(red, 0, color: .red), judge(blue, 1, color: .red))
        #expect((right.latentsRank, right.histogramRank) == (1, 1) && right.seenColor == .red)
        #expect((wrong.latentsRank, wrong.histogramRank) == (2, 2) && wrong.seenColor == .blue)
        #expect(judge(red, 0, color: nil).seenColor == nil)
    }
}
