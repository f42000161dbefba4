import Foundation
import Imaging
import Testing

@testable import FluxEvaluation

@Suite("Neighbours of a picture")
struct NeighbourTests {
    private static let paper = Image(width: 16, height: 16, red: 255, green: 255, blue: 255)

    /// A point whose picture is always the same.
    private static func point(_ place: Float...) -> PictureVectors {
        PictureVectors(of: paper, latents: place)
    }

    private let pool = NeighbourPool([
        point(0, 0), point(1, 0), point(3, 0), point(0, 10), point(0, 11), point(0, 12),
    ])

    private func rank(_ expected: NeighbourPool.Expected, _ picture: PictureVectors) -> Int {
        pool.rank(of: expected, from: picture, in: .latents)
    }

    @Test func theSamePictureIsTheNearest() {
        #expect(rank(.member(2), Self.point(3, 0)) == 1)
    }

    @Test func thoseNearerComeBefore() {
        #expect(rank(.member(0), Self.point(0.8, 0)) == 2)
        #expect(rank(.member(2), Self.point(0.8, 0)) == 3)
        #expect(rank(.member(5), Self.point(0, 0)) == 6)
    }

    @Test func distancesAreSquared() {
        #expect(PictureSpace.latents.distance(Self.point(1, 2), Self.point(-2, 6)) == 25)
        // By sums of differences the other one would be nearer: 5 against 6.
        let pool = NeighbourPool([Self.point(3, 3), Self.point(5, 0)])
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

    @Test func coloursAreASpaceOfTheirOwn() {
        let (red, blue) = (Image.disc(.red, on: .white), Image.disc(.blue, on: .white))
        let pool = NeighbourPool([
            PictureVectors(of: red, latents: [0]), PictureVectors(of: blue, latents: [1]),
        ])
        let odd = PictureVectors(of: .disc(.blue, on: .white, radius: 20), latents: [0])
        #expect(pool.rank(of: .member(1), from: odd, in: .histogram) == 1)
        #expect(pool.rank(of: .member(1), from: odd, in: .latents) == 2)
    }
}

@Suite("Noise of an autoencoder")
struct PSNRTests {
    private let grey = Image(width: 20, height: 10, red: 100, green: 100, blue: 100)

    @Test func knownNoiseHasItsDecibels() {
        var noisy = grey
        for at in noisy.pixels.indices { noisy.pixels[at] = at.isMultiple(of: 2) ? 105 : 95 }
        #expect(abs(grey.psnr(against: noisy) - 34.1514) < 1e-3)
        #expect(grey.psnr(against: noisy) == noisy.psnr(against: grey))
        let black = Image(width: 20, height: 10, red: 0, green: 0, blue: 0)
        let white = Image(width: 20, height: 10, red: 255, green: 255, blue: 255)
        #expect(black.psnr(against: white) == 0)
    }

    @Test func equalPicturesHaveTheMostThatEightBitsCanShow() {
        var near = grey
        near.pixels[7] += 1
        #expect(abs(grey.psnr(against: grey) - 58.9226) < 1e-3)
        #expect(near.psnr(against: grey) == grey.psnr(against: grey))
    }
}

@Suite("Figures of many pictures")
struct FigureTests {
    /// A judgement with chosen ranks.
    private func judgement(
        _ latents: Int, _ histogram: Int, _ color: ColourName? = nil, saw seen: ColourName? = nil
    ) -> Judgement {
        let image = Image.disc(.red, on: .white)
        var judgement = Judgement(
            image, .only(image), expected: .member(0), among: NeighbourPool([.only(image)]),
            color: color)
        (judgement.latentsRank, judgement.histogramRank) = (latents, histogram)
        (judgement.pool, judgement.seenColor) = (10, seen)
        return judgement
    }

    @Test func countFirstAndFirstFive() {
        let figures = Figures(
            of: [judgement(1, 6), judgement(2, 5), judgement(5, 1), judgement(6, 9)])
        #expect(figures.latents == .init(top1: 0.25, top5: 0.75))
        #expect(figures.histogram == .init(top1: 0.25, top5: 0.5))
        #expect(figures.color == nil)
    }

    @Test func countColoursWhereOneWasAskedFor() {
        let figures = Figures(of: [
            judgement(1, 1), judgement(1, 1, .red, saw: .red), judgement(1, 1, .red, saw: .blue),
            judgement(1, 1, .red), judgement(1, 1, .pink, saw: .pink),
        ])
        #expect(figures.color == 0.5)
    }

    @Test func chanceFollowsFromThePool() {
        var small = judgement(1, 1, .red)
        small.pool = 4
        let chance = Figures(ofChanceFor: [judgement(1, 1), small])
        #expect(abs(chance.latents.top1 - 0.175) < 1e-9)
        #expect(chance.histogram.top5 == 0.75)
        #expect(chance.color == 1.0 / 7)
    }

    @Test func aJudgementLooksAtThePicture() {
        let (red, blue) = (Image.disc(.red, on: .white), Image.disc(.blue, on: .white))
        let vectors = [red, blue].enumerated().map { index, image in
            PictureVectors(of: image, latents: [Float(index)])
        }
        let pool = NeighbourPool(vectors)
        func judge(_ image: Image, _ index: Int, color: ColourName?) -> Judgement {
            Judgement(image, vectors[index], expected: .member(0), among: pool, color: color)
        }
        let (right, wrong) = (judge(red, 0, color: .red), judge(blue, 1, color: .red))
        #expect((right.latentsRank, right.histogramRank) == (1, 1) && right.seenColor == .red)
        #expect((wrong.latentsRank, wrong.histogramRank) == (2, 2) && wrong.seenColor == .blue)
        #expect(judge(red, 0, color: nil).seenColor == nil)
    }
}
