@testable import Flux2
import Foundation
import Imaging
import TestSupport
import Testing
import Torch

extension GoldenTests {
    @Suite("Images become numbers and back as in the reference")
    struct Images {
        @Test func everyCaseAgrees() throws {
            try runGoldens("image") { golden in
                switch golden.name.prefix(while: { $0 != "_" }) {
                case "preprocess": try preprocess(golden)
                case "postprocess":
                    try golden.expect(Self.bytes(of: golden.input("decoded").image()), "pixels")
                case "mask": try masks(golden)
                case "shape": try roundedSizes(golden)
                default:
                    golden.name == "edit_dimensions" ? try dimensions(golden) : try resize(golden)
                }
            }
        }

        private static func bytes(of image: Image) throws -> Tensor {
            try .from(image.pixels, shape: [image.height, image.width, 3])
        }

        private func readImage(_ name: String) throws -> Image {
            try Image(contentsOf: Reference.path("inputs/\(name).png"))
        }

        private func preprocess(_ golden: Golden) throws {
            let path = Reference.path(try #require(golden.string("image")))
            let image = try Image(contentsOf: path)
            for (name, signed) in [("signed", true), ("unit", false)] {
                let pixels = try Tensor.pixels(of: image, dtype: golden.dtype, signed: signed)
                try golden.expect(
                    pixels.slice(0..<image.height, along: 2, by: 2)
                        .slice(0..<image.width, along: 3, by: 2), name)
            }
        }

        /// Cases are named `<height>x<width>.<kind of blur>`.
        private func masks(_ golden: Golden) throws {
            let blurs: [String: (Int?, Double?)] = [
                "sharp": (nil, nil), "blur1": (1, 0.8), "blur1_wide": (1, 3), "size_only": (1, nil),
            ]
            for output in golden.outputs {
                let isColor = output.hasPrefix("colour_mask_")
                let parts = output.replacing("colour_mask_", with: "").split(separator: ".")
                let sides = parts[0].split(separator: "x").compactMap { Int($0) }
                let blur = try isColor ? (3, 1.5) : #require(blurs[String(parts[1])])
                let mask = try readImage(isColor ? "portrait" : "mask_\(parts[0])")
                try golden.expect(
                    InpaintMask.tokens(
                        of: mask, height: sides[0], width: sides[1], blurSize: blur.0,
                        blurSigma: blur.1, dtype: golden.dtype), output)
            }
        }

        private func roundedSizes(_ golden: Golden) throws {
            for (name, value) in try #require(golden.json["height_width"] as? [String: [Int]]) {
                let sides = name.split(separator: "x").compactMap { Int($0) }
                var request = GenerationRequest(prompt: "", seed: 0)
                (request.height, request.width) = (sides[0], sides[1])
                #expect([request.roundedSize.height, request.roundedSize.width] == value)
            }
        }

        private func dimensions(_ golden: Golden) throws {
            for (name, value) in try #require(golden.json["width_height"] as? [String: [Int]]) {
                let sides = name.split(separator: "x").compactMap { Int($0) }
                let size = ReferenceSize.diffSynth(width: sides[0], height: sides[1])
                #expect([size.width, size.height] == value)
            }
        }

        private func resize(_ golden: Golden) throws {
            for output in golden.outputs {
                let parts = output.split(separator: ".").map(String.init)
                let image = try readImage(parts[1])
                if parts[0] == "small" {
                    let small = image.resizedToCover(width: 80, height: 48, filter: .bilinear)
                    try golden.expect(Self.bytes(of: small), output)
                    continue
                }
                let size = ReferenceSize.diffSynth(width: image.width, height: image.height)
                let whole = try Self.bytes(
                    of: image.resizedToCover(
                        width: size.width, height: size.height, filter: .bilinear))
                let places = try [0, 1].map { axis in
                    try Tensor.arange(8, to: Double(whole.size(axis)), by: 16, dtype: .int64)
                }
                try golden.expect(
                    whole.gathering(places[0], along: 0).gathering(places[1], along: 1), output)
            }
        }
    }
}
