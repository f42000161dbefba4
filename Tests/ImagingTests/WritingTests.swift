import FileSupport
import Foundation
import Imaging
import TestSupport
import Testing

@Suite("Images are written")
struct WritingTests {
    let folder: TemporaryFolder
    let image: Image

    init() throws {
        folder = try TemporaryFolder()
        image = try Image(contentsOf: Fixture.path("large.png"))
    }

    @Test func withoutLossAsPNGAndWebP() throws {
        for name in ["a.png", "a.webp", "A.PNG"] {
            try image.write(to: folder.file(name))
            #expect(try Image(contentsOf: folder.file(name)) == image)
        }
    }

    @Test func withTheQualityThatIsAskedFor() throws {
        for name in ["a.jpg", "a.webp"] {
            let path = folder.file(name)
            let sizes = try [20, 60, 95].map { quality in
                try image.write(to: path, quality: quality)
                return try Data(contentsOf: URL(fileURLWithPath: path)).count
            }
            #expect(sizes == sizes.sorted() && Set(sizes).count == 3)
            #expect(try Image(contentsOf: path).width == image.width)
        }
    }

    @Test(arguments: ["a.png", "a.jpg", "a.webp"])
    func withSettingsThatAreFoundAgain(name: String) throws {
        let metadata = [
            "flux2": #"{"prompt":"ein „Füchslein“ 🦊\n","seed":1}"#, "Software": "flux2 ü",
            "Leer": "",
        ]
        try image.write(to: folder.file(name), metadata: metadata)
        #expect(try Image.readMetadata(of: folder.file(name)) == metadata)
        #expect(try Image(contentsOf: folder.file(name)).height == image.height)
    }

    @Test func orRefusedWithAReason() throws {
        func complaint(_ name: String, _ metadata: [String: String] = [:], _ quality: Int? = nil)
            throws -> String
        {
            try #require(throws: ImagingError.self) {
                try image.write(to: folder.file(name), metadata: metadata, quality: quality)
            }.description
        }
        #expect(
            try complaint("a.bmp").hasSuffix(
                "unknown image extension 'bmp'; known are .png, .jpg, .jpeg, .webp"))
        #expect(try complaint("png").contains("unknown image extension ''"))
        #expect(try complaint("a.jpg", [:], 101).contains("quality must be 1 to 100, not 101"))
        #expect(try complaint("a.png", [" k": "v"]).contains("metadata ' k'"))
        #expect(try complaint("a.png", ["k": "\0"]).contains("no zero characters"))
        let long = String(repeating: "x", count: 70_000)
        #expect(try complaint("a.jpg", ["k": long]).contains("at most 65535 fit"))
        #expect(folder.contents.isEmpty)
    }

    @Test func overOthersOnlyWhereThatIsAllowed() throws {
        let path = folder.file("a.png")
        try image.write(to: path)
        #expect(throws: FileError.self) { try image.write(to: path, overwrite: false) }
    }
}

@Suite("Geometry")
struct GeometryTests {
    private let image = Image(width: 3, height: 2, pixels: Array(0..<18))

    @Test func cutsRectangles() throws {
        let part = try image.cropped(x: 1, y: 1, width: 2, height: 1)
        #expect(part.pixels == Array(12..<18))
        for (x, y, width, height) in [(2, 0, 2, 1), (-1, 0, 1, 1), (0, 0, 0, 1), (.max, 0, 1, 1)] {
            #expect(throws: ImagingError.self) {
                try image.cropped(x: x, y: y, width: width, height: height)
            }
        }
    }

    /// An image whose red tells the column and whose green tells the row.
    private func slope(width: Int, height: Int) -> Image {
        var pixels: [UInt8] = []
        for row in 0..<height {
            for column in 0..<width { pixels += [UInt8(2 * column), UInt8(2 * row), 7] }
        }
        return Image(width: width, height: height, pixels: pixels)
    }

    @Test(arguments: [(90, 30), (30, 90), (60, 60)])
    func coversASizeAroundTheCenter(width: Int, height: Int) {
        let square = slope(width: width, height: height)
            .resizedToCover(width: 20, height: 20, filter: .bilinear)
        #expect(square.width == 20 && square.height == 20)
        let step = Double(min(width, height)) / 20
        func isNear(_ found: UInt8, _ place: Int, of side: Int) -> Bool {
            let middle = step * (Double(place) + 0.5) - 0.5
            let start = Double(side) - 20 * step
            return abs(Double(found) - start - 2 * middle) <= 1
        }
        // Away from the borders of the image, where there is less to average.
        for place in 0..<16 * 16 {
            let (row, column) = (2 + place / 16, 2 + place % 16)
            let index = 3 * (20 * row + column)
            #expect(isNear(square.pixels[index], column, of: width), "\(row), \(column)")
            #expect(isNear(square.pixels[index + 1], row, of: height), "\(row), \(column)")
            #expect(square.pixels[index + 2] == 7)
        }
    }

    @Test func laysImagesOutInASheet() throws {
        let small = Image(width: 1, height: 1, red: 9, green: 9, blue: 9)
        let sheet = try Image.contactSheet([image, small, image], columns: 2, gap: 1, shade: 0)
        #expect(sheet.width == 9 && sheet.height == 7)
        #expect(sheet.pixels[3 * (9 + 1)..<3 * (9 + 1) + 3] == [0, 1, 2])
        #expect(throws: ImagingError.self) { try Image.contactSheet([]) }
    }
}
