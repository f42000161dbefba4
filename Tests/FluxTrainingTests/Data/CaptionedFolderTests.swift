import Flux2
import FluxTraining
import Foundation
import Imaging
import TestSupport
import Testing

@Suite("A folder of images with captions")
struct CaptionedFolderTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func put(_ name: String, _ bytes: [UInt8] = []) throws {
        let url = URL(fileURLWithPath: folder.file(name))
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: url)
    }

    private func put(_ name: String, _ text: String) throws { try put(name, Array(text.utf8)) }

    private func refusal() throws -> String {
        try "\(#require(throws: DataError.self) { _ = try Metadata(folder: folder.path) })"
    }

    @Test("leaves out what macOS notes beside files")
    func appleDouble() throws {
        for name in ["a.png", "._a.png", "._a.txt", ".DS_Store"] { try put(name, [0, 5, 0x16, 7]) }
        try put("a.txt", "one")
        let found = try Metadata(folder: folder.path)
        #expect(found.rows.map { $0["image"] } == [.text("a.png")])
        #expect(found.remarks.isEmpty)
    }

    @Test("says of names that are no text what is wrong with them")
    func notUTF8() throws {
        try put("a.png")
        try put("a.txt", "one")
        let name = Array((folder.path + "/b").utf8) + [0xFF] + Array(".png".utf8) + [0]
        let file = open(name.map(CChar.init(bitPattern:)), O_WRONLY | O_CREAT, 0o600)
        // Some file systems hold no such names.
        guard file >= 0 else { return }
        close(file)
        #expect(try refusal().contains("not UTF-8"))
    }

    @Test("counts in one line what is not read")
    func leftOut() throws {
        for name in ["a.png", "b.bmp", "c.GIF", "sub/d.png", "sub/e.tiff", ".hidden/f.png"] {
            try put(name)
        }
        try put("a.txt", "one")
        try put("b.txt", "two")
        let remarks = try Metadata(folder: folder.path).remarks
        #expect(
            remarks == [
                "\(folder.path): images left out: 2 of formats that are not read, such as 'b.bmp'; "
                    + "2 in sub-folders, which are not read, such as 'sub/d.png'"
            ])
    }

    @Test("that has images only below it is refused with where they are")
    func onlyBelow() throws {
        try put("10_ohwx dog/a.png")
        #expect(try refusal().contains("1 in sub-folders"))
        #expect(try refusal().contains("10_ohwx dog/a.png"))
    }

    @Test("has captions of all encodings, and tells which were guessed")
    func encodings() throws {
        let text = "the dog’s hat"
        for (name, encoding) in [("a", String.Encoding.windowsCP1252), ("b", .windowsCP1252)] {
            try put("\(name).png")
            try put("\(name).txt", Array(#require(text.data(using: encoding))))
        }
        try put("c.png")
        try put("c.txt", Array(#require(text.data(using: .utf16))))
        let found = try Metadata(folder: folder.path)
        #expect(found.rows.allSatisfy { $0["prompt"] == .text(text) })
        #expect(found.remarks.count == 1)
        #expect(
            found.remarks[0].contains("2 captions, such as \(folder.file("a.txt")), are no UTF-8"))
    }

    @Test("never says that a caption is missing which is there")
    func reasons() throws {
        try put("a.png")
        try put("a.txt", [0x61, 0, 0x62, 0])
        #expect(try refusal().contains("a.txt: expected text"))
        try FileManager.default.removeItem(atPath: folder.file("a.txt"))
        try put("a.txt/x")
        #expect(try refusal().contains("a.txt: cannot read"))
        try FileManager.default.removeItem(atPath: folder.file("a.txt"))
        #expect(try refusal().contains("a.png: has no \(folder.file("a")).txt beside it"))
    }

    @Test("finds captions in another normal form, and with large endings")
    func spellings() throws {
        try put("cafe\u{301}.jfif")
        try put("caf\u{E9}.txt", "a cup\n")
        try put("b.png")
        try put("b.TXT", "")
        let rows = try Metadata(folder: folder.path).rows
        #expect(rows.map { $0["prompt"] } == [.text(""), .text("a cup")])
    }
}

@Suite("Rows whose columns are not all used")
struct ColumnUseTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func remarks(
        _ rows: [MetadataRow], columns: [String] = ["image", "video"], extras: [String] = []
    ) throws -> [String] {
        try ImageDataset(
            Metadata(path: "rows", rows: rows), base: ".", sizing: ImageSizing(),
            imageColumns: columns, extraInputs: extras
        ).remarks
    }

    private let row: MetadataRow = ["image": .text("a.png"), "prompt": .text("a")]

    private func with(_ column: String, _ value: MetadataValue) -> MetadataRow {
        row.merging([column: value]) { $1 }
    }

    @Test("tell of files that nothing looks at, and of names without a column")
    func unused() throws {
        let edited = [with("edit_image", .text("b.png")), row]
        let hint = "; --data_file_keys and --extra_inputs have to name it"
        let told = "rows: the files in column 'edit_image' of 1 rows are not used" + hint
        #expect(try remarks(edited) == [told])
        #expect(try remarks(edited, columns: ["image", "edit_image"]) == [told])
        #expect(
            try remarks([edited[0]], columns: ["image", "edit_image"], extras: ["edit_image"])
                .isEmpty)
        #expect(
            try remarks([row], columns: ["image", "mask"])
                == ["rows: no row has a 'mask', which --data_file_keys names"])
        #expect(try remarks([with("note", .text("see 3.5"))]).isEmpty)
    }

    @Test("are no obstacle, videos and controls included")
    func others() throws {
        for (column, value) in [("video", "a.mp4"), ("controlnet_image", "c.jpg")] {
            #expect(
                try remarks([with(column, .text(value))], columns: ["image"])
                    == ["rows: the files in column '\(column)' of 1 rows are not used"])
        }
    }

    @Test("tell of captions that are empty")
    func empty() throws {
        #expect(
            try remarks([row, with("prompt", .missing), with("prompt", .text(" "))])
                == ["rows: 2 of 3 captions are empty, such as that of row 2"])
    }

    @Test("have one image to learn each")
    func lists() throws {
        let two = with("image", .list([.text("a.png"), .text("b.png")]))
        let error = #expect(throws: DataError.self) { _ = try remarks([two]) }
        #expect(error?.description == "rows, row 1: 'image' must be one path, not a list of 2")
        #expect(try remarks([with("image", .list([.text("a.png")]))]).isEmpty)
        #expect(throws: DataError.self) { _ = try remarks([with("image", .text(""))]) }
        let object = #expect(throws: DataError.self) { _ = try remarks([with("prompt", .object)]) }
        #expect(object?.description.contains("'prompt' must be a text, not an object") == true)
    }

    @Test("name files that the disk spells otherwise, below the current folder, too")
    func spellings() throws {
        let (composed, apart) = ("caf\u{E9}.png", "cafe\u{301}.png")
        try Image(width: 32, height: 32, red: 1, green: 2, blue: 3).write(to: folder.file(apart))
        let metadata = try Metadata(path: "rows", rows: [with("image", .text(composed))])
        let set = try ImageDataset(metadata, base: folder.path, sizing: ImageSizing())
        #expect(try set.missingFiles().isEmpty && set.item(0).image.width == 32)
        let whole = try Metadata(
            path: "rows", rows: [with("image", .text(folder.file(apart)))])
        #expect(try ImageDataset(whole, base: "", sizing: ImageSizing()).missingFiles().isEmpty)
        let here = try ImageDataset(
            Metadata(path: "rows", rows: [with("image", .text("none.png"))]), base: "",
            sizing: ImageSizing())
        #expect(try here.missingFiles() == ["none.png"])
    }
}
