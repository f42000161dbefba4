import FluxTraining
import Foundation
import Imaging
import ModelHub
import TestSupport
import Testing
import Torch

extension GoldenTests {
    @Suite("Data sets are read as the reference reads them")
    struct Datasets {
        /// What DiffSynth-Studio does with an image before anything else.
        private static let options = ReadOptions(orientation: .ignore, alpha: .drop)

        @Test func imagesAreMadeFit() throws {
            let golden = try Golden("dataset", "image_operator")
            let settings = try #require(golden.parameters["settings"] as? [String: [String: Int]])
            for key in golden.outputs {
                let parts = key.split(separator: ".").map(String.init)
                let sizing = try ImageSizing(#require(settings[parts[0]]))
                let image = try Image(
                    contentsOf: Reference.path("inputs/\(parts[1]).png"), options: Self.options)
                let fitted = try sizing.fitted(image, path: key)
                // Pillow cuts all 16-bit grays above 255 off, which leaves a white image; the high
                // byte is kept here.
                let isCutOff = parts[1] == "mode_gray16"
                try isCutOff ? golden.expectWhite(key) : golden.expectEqual(fitted, key)
            }
            #expect(golden.finish() > 30)
        }

        /// The reference makes images without pixels of them, which fail later.
        @Test func imagesThatWouldBecomeNothingAreRefused() throws {
            let golden = try Golden("dataset", "image_operator")
            let all = try FileManager.default.contentsOfDirectory(
                atPath: Reference.path("inputs")
            ).filter { $0.hasSuffix(".png") }.map { String($0.dropLast(4)) }
            let settings = try #require(golden.parameters["settings"] as? [String: [String: Int]])
            let sizing = try ImageSizing(#require(settings["crop16"]))
            for name in all where golden.has("out.fixed.\(name)") {
                let image = try Image(contentsOf: Reference.path("inputs/\(name).png"))
                let isKept = golden.has("out.crop16.\(name)")
                #expect(isKept == ((try? sizing.fitted(image, path: name)) != nil), "\(name)")
            }
        }

        @Test func sizesFollowTheImage() throws {
            let golden = try Golden("dataset", "dynamic_sizes")
            let sizing = try ImageSizing(
                maxPixels: #require(golden.json["max_pixels"] as? Int))
            let sizes = try #require(golden.json["width_height"] as? [String: [Int]])
            #expect(!sizes.isEmpty)
            for (given, expected) in sizes {
                let sides = given.split(separator: "x").compactMap { Int($0) }
                let found = sizing.size(width: sides[0], height: sides[1])
                #expect([found.width, found.height] == expected, "\(given)")
            }
        }

        @Test(arguments: ["csv", "json", "jsonl"])
        func rowsAndTheirImages(_ form: String) throws {
            let golden = try Golden("dataset", "metadata")
            let expected = try #require(golden.json["metadata.\(form)"] as? [String: Any])
            let extras = form == "csv" ? [] : ["edit_image", "seed"]
            let dataset = try ImageDataset(
                Metadata(path: Reference.path("inputs/dataset/metadata.\(form)")),
                base: Reference.path("inputs"), sizing: ImageSizing(maxPixels: 4096),
                imageColumns: ["image", "edit_image"], extraInputs: extras,
                options: Self.options)
            let order = try DataOrder(count: dataset.count, repeats: 2, seed: 0, shuffles: false)
                .samples(epoch: 0)
            #expect(order.count == expected["length_with_repeat_2"] as? Int)
            for entry in try #require(expected["items"] as? [[String: Any]]) {
                let number = order[try #require(entry["index"] as? Int)]
                let item = try #require(entry["item"] as? [String: Any])
                try Self.expect(dataset.item(number), item)
            }
        }

        private static func expect(_ found: TrainingItem, _ expected: [String: Any]) throws {
            #expect(found.prompt == expected["prompt"] as? String)
            #expect(found.extras.seed == expected["seed"] as? Int)
            for (key, images) in [("image", [found.image]), ("edit_image", found.editImages)] {
                let expectedImages = expected[key] as? [[String: Any]] ?? []
                #expect(images.count == expectedImages.count)
                for (image, expectedImage) in zip(images, expectedImages) {
                    #expect([image.width, image.height] == expectedImage["size"] as? [Int])
                    #expect(
                        Checksum.of(image.pixels, .sha256).value
                            == expectedImage["sha256_rgb"] as? String)
                }
            }
        }
    }
}

extension ImageSizing {
    fileprivate init(_ setting: [String: Int]) throws {
        try self.init(
            height: setting["height"], width: setting["width"],
            maxPixels: setting["max_pixels"] ?? 1024 * 1024)
    }
}

extension Golden {
    /// Every pixel has to be the same.
    fileprivate func expectEqual(_ image: Image, _ key: String) throws {
        try expect(.from(image.pixels, shape: [image.height, image.width, 3]), key)
        let pixels = try tensor("out." + key).values(as: UInt8.self)
        let different = zip(pixels, image.pixels).count { $0 != $1 }
        #expect(different == 0, "\(key): \(different) bytes differ")
    }

    fileprivate func expectWhite(_ key: String) throws {
        let pixels = try tensor("out." + key)
        try expect(pixels, key)
        #expect(try pixels.values(as: UInt8.self).allSatisfy { $0 == 255 })
    }
}
