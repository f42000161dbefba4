import FluxTraining
import Foundation
import Imaging
import TestSupport
import Testing

@Suite("Rows with images")
struct ImageDatasetTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        for (name, blue) in [("a.png", UInt8(10)), ("b.png", 200)] {
            try Image(width: 40, height: 32, red: 1, green: 2, blue: blue)
                .write(to: folder.file(name))
        }
    }

    private func dataset(
        _ rows: MetadataRow..., columns: [String] = ["image", "edit_image"], extras: [String] = []
    ) throws -> ImageDataset {
        try ImageDataset(
            Metadata(path: "rows.json", rows: rows), base: folder.path, sizing: ImageSizing(),
            imageColumns: columns, extraInputs: extras)
    }

    private let row: MetadataRow = ["image": .text("a.png"), "prompt": .text("a fox")]

    @Test func pathsAreRelativeToTheBaseOrAbsolute() throws {
        var absolute = row
        absolute["image"] = .text(folder.file("b.png"))
        let set = try dataset(row, absolute)
        #expect(try set.item(0).image.pixels[2] == 10)
        #expect(try set.item(1).image.pixels[2] == 200)
        #expect(try set.item(0).image.width == 32)
    }

    @Test func referencesAreOnePathOrSeveral() throws {
        var (one, two) = (row, row)
        one["edit_image"] = .text("b.png")
        two["edit_image"] = .list([.text("a.png"), .text("b.png")])
        let set = try dataset(one, two, extras: ["edit_image"])
        #expect(try set.item(0).editImages.map { $0.pixels[2] } == [200])
        #expect(try set.item(1).editImages.map { $0.pixels[2] } == [10, 200])
    }

    @Test(arguments: ["image", "prompt", "edit_image", "seed"])
    func aRowWithoutWhatIsNeededIsRefusedByItsNumber(_ column: String) throws {
        var whole = row
        whole["edit_image"] = .text("b.png")
        whole["seed"] = .number(3)
        var damaged = whole
        damaged[column] = nil
        let error = #expect(throws: DataError.self) {
            _ = try dataset(whole, damaged, extras: ["edit_image", "seed"])
        }
        #expect(error?.description == "rows.json, row 2: has no '\(column)'")
    }

    @Test func valuesOfTheWrongKindAreRefused() throws {
        for (column, value) in [
            ("image", MetadataValue.number(3)), ("prompt", .list([])), ("seed", .text("x")),
            ("edit_image", .list([.number(1)])),
        ] {
            var damaged = row
            damaged["edit_image"] = .text("b.png")
            damaged["seed"] = .number(3)
            damaged[column] = value
            let error = #expect(throws: DataError.self) {
                _ = try dataset(damaged, extras: ["edit_image", "seed"])
            }
            #expect(error?.description.contains("row 1: '\(column)' must be ") == true)
        }
    }

    @Test func aColumnThatIsNotNamedAsImageIsRefused() throws {
        let error = #expect(throws: DataError.self) { _ = try dataset(row, columns: ["video"]) }
        #expect(error?.description.contains("--data_file_keys") == true)
    }

    @Test func missingImagesAreKnownBeforehand() throws {
        var missing = row
        missing["image"] = .text("c.png")
        #expect(try dataset(row, missing).missingFiles() == [folder.file("c.png")])
        #expect(throws: DataError.self) { _ = try dataset(row, missing).item(1) }
    }

    @Test func everythingThatASampleIsMadeOfIsInItsIdentity() throws {
        let long = String(repeating: "a very long caption ", count: 10)
        var rows = [MetadataRow](repeating: row, count: 5)
        rows[1]["prompt"] = .text(long + "fox")
        rows[2]["prompt"] = .text(long + "dog")
        rows[3]["edit_image"] = .list([.text("a.png")])
        rows[4]["edit_image"] = .list([.text("b.png")])
        let plain = try rows[0...2].map { try dataset($0).identity(0) }
        let edited = try rows[3...4].map { try dataset($0, extras: ["edit_image"]).identity(0) }
        #expect(Set(plain + edited).count == 5)
    }

    @Test func aSampleIsTheSameWhereverItsImagesLie() throws {
        let before = try dataset(row).identity(0)
        try FileManager.default.moveItem(
            atPath: folder.file("a.png"), toPath: folder.file("other.png"))
        let moved: MetadataRow = [
            "image": .text(folder.file("other.png")), "prompt": .text("a fox"),
        ]
        #expect(try dataset(moved).identity(0) == before)
        var other = moved
        other["image"] = .text("b.png")
        #expect(try dataset(other).identity(0).text == before.text)
        #expect(try dataset(other).identity(0) != before)
        // Of an image that is gone the caption is left.
        #expect(try dataset(row).identity(0).text == before.text)
    }

    @Test func headersOfImagesAreLookedAt() throws {
        try Data("no image".utf8).write(to: URL(fileURLWithPath: folder.file("c.png")))
        var bad = row
        bad["image"] = .text("c.png")
        try dataset(row, bad).checkFiles(0)
        #expect(throws: DataError.self) { try dataset(row, bad).checkFiles(1) }
        bad = row
        bad["edit_image"] = .text("c.png")
        #expect(throws: DataError.self) {
            try dataset(bad, extras: ["edit_image"]).checkFiles(0)
        }
    }
}
