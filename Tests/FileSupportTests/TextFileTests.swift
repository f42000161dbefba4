import FileSupport
import Foundation
import TestSupport
import Testing

@Suite("Texts of all encodings")
struct TextFileTests {
    private let folder: TemporaryFolder
    private let words = "the dog’s hat — 5 €, naïve"

    init() throws { folder = try TemporaryFolder() }

    private func read(_ bytes: [UInt8]) throws -> TextFile {
        try Data(bytes).write(to: URL(fileURLWithPath: folder.file("a.txt")))
        return try TextFile(path: folder.file("a.txt"))
    }

    private func bytes(_ encoding: String.Encoding, _ text: String? = nil) throws -> [UInt8] {
        Array(try #require((text ?? words).data(using: encoding)))
    }

    private func refusal(_ bytes: [UInt8]) throws -> String {
        try "\(#require(throws: FileError.self) { _ = try read(bytes) })"
    }

    @Test("are read with and without a mark")
    func encodings() throws {
        let utf8 = try bytes(.utf8)
        #expect(try read(utf8).text == words && read(utf8).remark == nil)
        #expect(try read([0xEF, 0xBB, 0xBF] + utf8).text == words)
        #expect(try read([0xFF, 0xFE] + bytes(.utf16LittleEndian)).text == words)
        let big = try read([0xFE, 0xFF] + bytes(.utf16BigEndian))
        #expect(big.text == words && big.encoding == .utf16 && big.remark == nil)
        let windows = try read(bytes(.windowsCP1252))
        #expect(windows.text == words && windows.encoding == .windows1252)
        #expect(
            windows.remark == "\(folder.file("a.txt")): is no UTF-8, and was read as Windows-1252")
        #expect(try read([]).text == "")
    }

    @Test("keep what looks like a mark inside of them")
    func marksInside() throws {
        #expect(try read(bytes(.utf8, "a\u{FEFF}b")).text == "a\u{FEFF}b")
    }

    @Test(
        "are no images, no UTF-16 without its mark, and no halves of letters",
        arguments: [
            [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 0x0D], [0x61, 0, 0x62, 0],
            [0xFF, 0xFE, 0x61], [0xFF, 0xFE, 0, 0xD8], [0xEF, 0xBB, 0xBF, 0xC3],
            [0xFF, 0xFE, 0, 0, 0x61, 0, 0, 0], [0x61, 0x81], [0xE4, 0x07], [0, 5, 0x16, 7],
        ] as [[UInt8]])
    func whatIsNoText(_ bytes: [UInt8]) throws {
        #expect(
            try refusal(bytes).contains("a.txt: expected text in UTF-8, UTF-16 or Windows-1252"))
    }

    @Test("that are not there or cannot be read say so")
    func unreadable() throws {
        let missing = folder.file("none.txt")
        let error = #expect(throws: FileError.self) { try TextFile(path: missing) }
        #expect(error?.description == "\(missing): cannot open: no such file or folder")
        #expect(throws: FileError.self) { try TextFile(path: folder.path) }
    }

    @Test("have lines that end in all ways, blank ones left out")
    func lines() throws {
        let file = try read(bytes(.utf8, "a fox\r\n\r\n \t\na dog\rlast"))
        #expect(file.lines == ["a fox", "a dog", "last"])
    }
}

@Suite("Names in two normal forms")
struct FileNamesTests {
    @Test("find the file that is there, in folders as well")
    func found() throws {
        let folder = try TemporaryFolder()
        let (composed, apart) = ("caf\u{E9}", "cafe\u{301}")
        let place = folder.file(apart)
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        try Data().write(to: URL(fileURLWithPath: "\(place)/\(composed).png"))
        var names = FileNames()
        for path in ["\(composed)/\(apart).png", "\(apart)/\(composed).png"] {
            let name = names.found(folder.file(path))
            let found = try #require(name)
            #expect(found.utf8.elementsEqual("\(place)/\(composed).png".utf8))
        }
        let others = ["\(composed)/other.png", "\(composed)\u{301}.png"].map {
            names.found(folder.file($0))
        }
        #expect(others == [nil, nil])
    }
}
