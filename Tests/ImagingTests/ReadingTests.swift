import Foundation
import Imaging
import Checkpoints
import TestSupport
import Testing

/// Files made with Pillow, and the pixels that Pillow reads in them.
enum Fixture {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Fixtures").path

    static func path(_ name: String) -> String { folder + "/" + name }

    static func expected() throws -> SafetensorsFile {
        try SafetensorsFile(path: path("expected.safetensors"))
    }
}

extension Image {
    /// The largest difference of a value; nil for another size.
    func distance(to info: TensorInfo, of file: SafetensorsFile) -> Int? {
        guard info.shape == [height, width, 3] else { return nil }
        return zip(pixels, file.bytes(of: info)).map { abs(Int($0) - Int($1)) }.max()
    }
}

@Suite("Images are read as Pillow reads them")
struct ReadingTests {
    @Test func ofEveryKind() throws {
        let expected = try Fixture.expected()
        let files = expected.tensors.filter { !$0.name.contains(" ") }
        #expect(files.count == 28)
        for info in files {
            let image = try Image(contentsOf: Fixture.path(info.name))
            let distance = try #require(image.distance(to: info, of: expected), "\(info.name)")
            // Color conversion of CMYK and of lossy WebP is defined to a level only.
            let limit = ["cmyk.jpg", "lossy.webp"].contains(info.name) ? 1 : 0
            #expect(distance <= limit, "\(info.name) is off by \(distance)")
        }
    }

    @Test func andResizedAsPillowResizes() throws {
        let expected = try Fixture.expected()
        let cases = expected.tensors.filter { $0.name.hasPrefix("large.png ") }
        #expect(cases.count == 24)
        let large = try Image(contentsOf: Fixture.path("large.png"))
        for info in cases {
            let name = info.name.split(separator: " ")[1]
            let filter = try #require(ResamplingFilter(rawValue: String(name)))
            let small = large.resized(width: info.shape[1], height: info.shape[0], filter: filter)
            #expect(small.distance(to: info, of: expected) == 0, "\(info.name)")
        }
    }

    @Test func unlessOrientationAndTransparencyShallBeIgnored() throws {
        let turned = try Image(
            contentsOf: Fixture.path("turned-6.jpg"), options: .init(orientation: .ignore))
        #expect(turned.width == 19 && turned.height == 13)
        let opaque = try Image(contentsOf: Fixture.path("rgba.png"), options: .init(alpha: .drop))
        #expect(opaque == (try Image(contentsOf: Fixture.path("rgb.png"))))
        let black = try Image(
            contentsOf: Fixture.path("rgba.png"), options: .init(alpha: .compositeOnBlack))
        let white = try Image(contentsOf: Fixture.path("rgba.png"))
        // What is missing to the image on white is as much white as the pixel is transparent.
        let missing = zip(white.pixels, black.pixels).map { Int($0) - Int($1) }
        #expect(missing.allSatisfy { $0 >= 0 } && missing.contains { $0 > 0 })
        // Where nothing of the image is left there is nothing but black.
        #expect(zip(missing, black.pixels).allSatisfy { $0 < 255 || $1 == 0 })
        #expect(
            stride(from: 0, to: missing.count, by: 3).allSatisfy { place in
                (1..<3).allSatisfy { abs(missing[place] - missing[place + $0]) <= 1 }
            })
    }

    @Test func orRefusedInOneLine() throws {
        let folder = try TemporaryFolder()
        func complaint(_ bytes: [UInt8]) throws -> String {
            let path = folder.file("x.png")
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            let error = try #require(throws: ImagingError.self) { try Image(contentsOf: path) }
            #expect(error.description.hasPrefix(path) && !error.description.contains("\n"))
            return error.description
        }
        #expect(try complaint([]).contains("the file is empty"))
        #expect(try complaint(Array("<svg/>".utf8)).contains("is not a PNG, JPEG or WebP image"))
        for name in ["rgb.png", "half-chroma.jpg", "lossy.webp"] {
            let bytes = try Array(Data(contentsOf: URL(fileURLWithPath: Fixture.path(name))))
            #expect(try complaint(Array(bytes.prefix(bytes.count / 2))).contains("damaged"))
        }
        let missing = try #require(throws: ImagingError.self) {
            try Image(contentsOf: folder.file("none.png"))
        }
        #expect(missing.description.contains("no such file"))
        let animated = try #require(throws: ImagingError.self) {
            try Image(contentsOf: Fixture.path("animated.webp"))
        }
        #expect(animated.description.contains("animated WebP files are not supported"))
    }

    /// A header of a few bytes must not make the program ask for gigabytes.
    @Test func orRefusedForTheirSizeBeforeMemoryIsAskedFor() throws {
        var bytes = try Array(
            Data(contentsOf: URL(fileURLWithPath: Fixture.path("half-chroma.jpg"))))
        let frame = try #require(
            bytes.indices.dropLast().first {
                bytes[$0] == 0xFF && bytes[$0 + 1] == 0xC0
            })
        for offset in 5...8 { bytes[frame + offset] = 0xFF }
        let error = try #require(throws: ImagingError.self) { try Image(decoding: bytes) }
        #expect(error.reason == .tooLarge(width: 65535, height: 65535))
    }

    @Test func withoutACrashWhateverTheDamage() throws {
        var state: UInt64 = 9
        func random(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % limit
        }
        for name in [
            "rgba.png", "palette.png", "progressive.jpg", "turned-6.jpg", "lossy.webp",
            "turned.webp",
        ] {
            let sound = try Array(Data(contentsOf: URL(fileURLWithPath: Fixture.path(name))))
            for _ in 0..<300 {
                var bytes = sound
                for _ in 0...random(4) { bytes[random(bytes.count)] = UInt8(random(256)) }
                _ = try? Image(decoding: bytes)
                _ = try? Image.readMetadata(in: bytes)
            }
        }
    }
}
