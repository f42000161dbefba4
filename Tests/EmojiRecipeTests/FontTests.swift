import Foundation
import Imaging
import TestSupport
import Testing

@testable import emoji_recipe

/// A font of one glyph, in the form that the reader knows.
private struct SmallFont {
    var png: [UInt8]
    var character: UInt32 = 0x1F431
    var imageFormat = 17

    private func number(_ value: Int, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * (count - 1 - $0))) }
    }

    var bytes: [UInt8] {
        let cmap =
            number(0, 2) + number(1, 2) + number(3, 2) + number(10, 2) + number(12, 4)
            + number(12, 2) + number(0, 2) + number(28, 4) + number(0, 4) + number(1, 4)
            + number(Int(character), 4) + number(Int(character), 4) + number(7, 4)
        let data = number(3 << 16, 4) + [1, 1, 0, 0, 1] + number(png.count, 4) + png
        let array = number(7, 2) + number(7, 2) + number(8, 4)
        let subtable =
            number(1, 2) + number(imageFormat, 2) + number(4, 4) + number(0, 4)
            + number(9 + png.count, 4)
        let strike = number(56, 4) + number(0, 4) + number(1, 4) + Array(repeating: 0, count: 36)
        let index = number(3 << 16, 4) + number(1, 4) + strike + array + subtable
        let tables = [("cmap", cmap), ("CBLC", index), ("CBDT", data)]
        var place = 12 + 16 * tables.count
        var header = number(0x10000, 4) + number(tables.count, 2) + number(0, 6)
        for (name, table) in tables {
            header += Array(name.utf8) + number(0, 4) + number(place, 4) + number(table.count, 4)
            place += table.count
        }
        return header + tables.flatMap(\.1)
    }
}

@Suite("A font of bitmaps") struct FontTests {
    private func written(_ bytes: [UInt8]) throws -> (TemporaryFolder, String) {
        let folder = try TemporaryFolder()
        try Data(bytes).write(to: URL(fileURLWithPath: folder.file("font.ttf")))
        return (folder, folder.file("font.ttf"))
    }

    /// No two pixels are alike.
    private let image = Image(width: 3, height: 2, pixels: (0..<18).map { UInt8(13 * $0 + 5) })

    private func png() throws -> [UInt8] { try image.encoded(as: .png) }

    @Test func givesTheImageOfACharacter() throws {
        let (folder, path) = try written(SmallFont(png: png()).bytes)
        let font = try BitmapFont(path: path)
        let glyph = try font.glyph("\u{1F431}")
        #expect(glyph.colors == image)
        #expect(glyph.cover.pixels.allSatisfy { $0 == 255 })
        #expect(throws: RecipeError.self) { try font.glyph("\u{1F436}") }
        withExtendedLifetime(folder) {}
    }

    @Test func isRefusedWhereItIsDamaged() throws {
        let whole = try SmallFont(png: png()).bytes
        for count in stride(from: 0, to: whole.count, by: 7) {
            let (folder, path) = try written(Array(whole.prefix(count)))
            let error = #expect(throws: RecipeError.self, "\(count)") {
                try BitmapFont(path: path)
            }
            #expect(error.map { "\($0)".hasPrefix(path) } == true)
            withExtendedLifetime(folder) {}
        }
        let (folder, path) = try written(SmallFont(png: png(), imageFormat: 18).bytes)
        #expect(throws: RecipeError.self) { try BitmapFont(path: path) }
        withExtendedLifetime(folder) {}
    }
}
