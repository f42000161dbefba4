import FluxTraining
import Foundation
import Imaging
import TestSupport
import Testing

@Suite("Metadata")
struct MetadataTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func rows(_ text: String, _ name: String) throws -> [MetadataRow] {
        try text.write(toFile: folder.file(name), atomically: true, encoding: .utf8)
        return try Metadata(path: folder.file(name)).rows
    }

    private func refusal(_ text: String, _ name: String) throws -> String {
        try "\(#require(throws: DataError.self) { _ = try rows(text, name) })"
    }

    // MARK: CSV

    @Test func quotedCellsHoldCommasQuotesAndLines() throws {
        let rows = try rows("image,prompt\r\na.png,\"x, \"\"y\"\"\r\nz\"\r\n", "m.csv")
        #expect(rows == [["image": .text("a.png"), "prompt": .text("x, \"y\"\r\nz")]])
    }

    @Test(arguments: ["\n", "\r\n", "\r"])
    func linesEndInThreeWays(_ end: String) throws {
        let rows = try rows(["image,prompt", "a,b", "c,d"].joined(separator: end), "m.csv")
        #expect(rows.map { $0["prompt"] } == [.text("b"), .text("d")])
    }

    @Test func aByteOrderMarkIsNoPartOfTheFirstColumn() throws {
        #expect(try rows("\u{FEFF}image,prompt\na,b\n", "m.csv")[0]["image"] == .text("a"))
    }

    @Test func emptyLinesAreNoRows() throws {
        #expect(try rows("image,prompt\n\na,b\n\n\nc,d\n\n", "m.csv").count == 2)
    }

    @Test func shortRowsHaveNothingInTheRest() throws {
        let rows = try rows("image,prompt,seed\na,b\nc,,7\n", "m.csv")
        #expect(rows[0]["seed"] == nil)
        #expect(rows[1]["prompt"] == .missing)
        #expect(rows[1]["seed"]?.integer == 7)
    }

    @Test func longRowsAreRefusedByTheirNumber() throws {
        let line = try refusal("image,prompt\na,b\nc,a red fox, and a dog\n", "m.csv")
        #expect(line.contains("m.csv, row 3: has 3 cells for 2 columns"))
    }

    @Test func quotesWithoutEndAreRefused() throws {
        #expect(try refusal("image,prompt\na,\"b\nc,d\n", "m.csv").contains("row 2: has quotes"))
    }

    @Test func aColumnThatIsNamedTwiceIsRefused() throws {
        #expect(try refusal("image,image\na,b\n", "m.csv").contains("names a column twice"))
    }

    @Test func anyOtherEndingIsReadAsCSV() throws {
        #expect(try rows("image,prompt\na,b\n", "m.txt").count == 1)
    }

    @Test(arguments: ["", "image,prompt\n", "\n\n"])
    func aFileWithoutRowsIsRefused(_ text: String) throws {
        #expect(try refusal(text, "m.csv").contains("m.csv: nothing to train on"))
    }

    @Test func bytesThatAreNoTextAreRefused() throws {
        let path = folder.file("m.csv")
        try Data([0x69, 0, 0xFE]).write(to: URL(fileURLWithPath: path))
        #expect(throws: DataError.self) { try Metadata(path: path) }
    }

    // MARK: JSON

    @Test func jsonHoldsNumbersFlagsAndLists() throws {
        let rows = try rows(
            #"[{"image": "a", "edit_image": ["b", "c"], "seed": 3, "w": 0.5, "f": true, "n": null}]"#,
            "m.json")
        #expect(rows[0]["edit_image"]?.paths == ["b", "c"])
        #expect(rows[0]["seed"]?.integer == 3 && rows[0]["w"]?.integer == nil)
        #expect(rows[0]["f"]?.flag == true && rows[0]["n"] == .missing)
    }

    @Test(arguments: [
        (#"{"image": "a"}"#, "m.json: is no JSON array"), (#"[{"image": "a"}, 3]"#, "row 2"),
        (#"[{"image": "a",}]"#, "m.json"), ("[]", "nothing to train on"), ("[", "m.json"),
    ])
    func malformedJSONIsRefused(_ text: String, _ words: String) throws {
        #expect(try refusal(text, "m.json").contains(words))
    }

    @Test func linesOfJSONAreRows() throws {
        let rows = try rows("{\"image\": \"a\"}\r\n{\"image\": \"b\"}\n", "m.jsonl")
        #expect(rows.map { $0["image"] } == [.text("a"), .text("b")])
    }

    @Test func blankLinesAndMarksAreNoRows() throws {
        let row = #"{"image": "a", "prompt": "x"}"#
        for (text, name) in [
            ("\u{FEFF}[\(row)]", "m.json"), ("\u{FEFF}\(row)\n", "m.jsonl"),
            ("\n\(row)\n \r\n\n", "m.jsonl"), ("\(row)\r", "M.JSONL"),
        ] {
            #expect(try rows(text, name) == [["image": .text("a"), "prompt": .text("x")]])
        }
    }

    @Test func tablesAreReadInAllEncodings() throws {
        let path = folder.file("m.csv")
        let table = "image,prompt\na.png,café\n"
        for encoding in [String.Encoding.utf16, .windowsCP1252] {
            try #require(table.data(using: encoding)).write(to: URL(fileURLWithPath: path))
            let found = try Metadata(path: path)
            #expect(found.rows == [["image": .text("a.png"), "prompt": .text("café")]])
            #expect(found.remarks.count == (encoding == .utf16 ? 0 : 1))
        }
    }

    @Test(arguments: ["{\"image\": \"b\"", "[1]", "{\"image\": \"b\"} x"])
    func aMalformedLineOfJSONIsRefusedByItsNumber(_ line: String) throws {
        let text = "{\"image\": \"a\"}\n\(line)\n{\"image\": \"c\"}\n"
        #expect(try refusal(text, "m.jsonl").contains("m.jsonl, row 2: "))
    }

    // MARK: Files and folders

    @Test func aMissingFileIsRefused() throws {
        let path = folder.file("none.csv")
        let error = #expect(throws: DataError.self) { try Metadata(path: path) }
        #expect(error?.description == "\(path): cannot be read: it is not there")
        #expect(throws: DataError.self) { try Metadata(path: folder.path) }
    }

    @Test func aFolderIsReadByItsCaptions() throws {
        for name in ["b.png", "a.JPG", "notes.md"] {
            try Data().write(to: URL(fileURLWithPath: folder.file(name)))
        }
        try "a fox\n".write(toFile: folder.file("b.txt"), atomically: true, encoding: .utf8)
        let error = #expect(throws: DataError.self) { try Metadata(folder: folder.path) }
        #expect(error?.description.contains("a.JPG: has no ") == true)
        try " a dog ".write(toFile: folder.file("a.caption"), atomically: true, encoding: .utf8)
        let rows = try Metadata(folder: folder.path).rows
        #expect(rows.map { $0["image"] } == [.text("a.JPG"), .text("b.png")])
        #expect(rows.map { $0["prompt"] } == [.text("a dog"), .text("a fox")])
    }

    @Test func aFolderWithoutImagesIsRefused() throws {
        let error = #expect(throws: DataError.self) { try Metadata(folder: folder.path) }
        #expect(error?.description.contains("nothing to train on") == true)
    }
}
