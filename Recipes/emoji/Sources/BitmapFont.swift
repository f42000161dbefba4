import Foundation
import Imaging

/// A font whose glyphs are PNG files in a `CBDT` table.
///
/// - Source: the OpenType specification, chapters `cmap`, `CBLC` and `CBDT`.
struct BitmapFont {
    private let path: String
    private let bytes: [UInt8]
    private let glyphs: [UInt32: Int]
    /// Where the PNG of a glyph is, by its number.
    private let images: [Int: Range<Int>]

    init(path: String) throws {
        self.path = path
        guard let data = FileManager.default.contents(atPath: path) else {
            throw RecipeError(
                "\(path): there is no such font; Debian has it in fonts-noto-color-emoji")
        }
        let reader = FontReader(bytes: [UInt8](data), path: path)
        bytes = reader.bytes
        let tables = try reader.tables()
        func table(_ name: String) throws -> Int {
            guard let start = tables[name] else {
                throw RecipeError("\(path): has no table \(name)")
            }
            return start
        }
        glyphs = try reader.characterMap(at: table("cmap"))
        images = try reader.images(index: table("CBLC"), data: table("CBDT"))
    }

    /// The image of a character.
    func glyph(_ character: Unicode.Scalar) throws -> Glyph {
        guard let number = glyphs[character.value], let range = images[number] else {
            throw RecipeError("\(path): has no image of U+\(String(character.value, radix: 16))")
        }
        return try Glyph(png: Array(bytes[range]))
    }
}

/// Big-endian numbers out of a font.
private struct FontReader {
    let bytes: [UInt8]
    let path: String

    func number(_ place: Int, _ count: Int) throws -> Int {
        guard place >= 0, place + count <= bytes.count else {
            throw RecipeError("\(path): ends before byte \(place + count)")
        }
        return bytes[place..<place + count].reduce(0) { $0 << 8 | Int($1) }
    }

    func tables() throws -> [String: Int] {
        try (0..<number(4, 2)).reduce(into: [:]) { tables, index in
            let record = 12 + 16 * index
            _ = try number(record, 16)
            let name = String(decoding: bytes[record..<record + 4], as: UTF8.self)
            tables[name] = try number(record + 8, 4)
        }
    }

    /// Characters to glyphs, from the subtable of format 12.
    func characterMap(at start: Int) throws -> [UInt32: Int] {
        for index in try 0..<number(start + 2, 2) {
            let subtable = try start + number(start + 4 + 8 * index + 4, 4)
            guard try number(subtable, 2) == 12 else { continue }
            return try (0..<number(subtable + 12, 4)).reduce(into: [:]) { map, group in
                let record = subtable + 16 + 12 * group
                let (first, last) = try (number(record, 4), number(record + 4, 4))
                guard first <= last, last < 0x110000 else {
                    throw RecipeError("\(path): a damaged character map")
                }
                let glyph = try number(record + 8, 4)
                for code in first...last { map[UInt32(code)] = glyph + code - first }
            }
        }
        throw RecipeError("\(path): has no character map of format 12")
    }

    /// Glyphs to their PNG files: image format 17, in index subtables of format 1.
    func images(index: Int, data: Int) throws -> [Int: Range<Int>] {
        let strike = index + 8
        let array = try index + number(strike, 4)
        return try (0..<number(strike + 8, 4)).reduce(into: [:]) { images, entry in
            let record = array + 8 * entry
            let (first, last) = try (number(record, 2), number(record + 2, 2))
            let subtable = try array + number(record + 4, 4)
            guard try number(subtable, 2) == 1, try number(subtable + 2, 2) == 17, first <= last
            else {
                throw RecipeError("\(path): bitmaps are not in the form that is read here")
            }
            let start = try data + number(subtable + 4, 4)
            for glyph in first...last {
                let place = try start + number(subtable + 8 + 4 * (glyph - first), 4)
                let next = try start + number(subtable + 12 + 4 * (glyph - first), 4)
                guard next > place else { continue }
                let size = try number(place + 5, 4)
                _ = try number(place + 9, size)
                images[glyph] = place + 9..<place + 9 + size
            }
        }
    }
}
