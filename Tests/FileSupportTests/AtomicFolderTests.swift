import FileSupport
import Foundation
import TestSupport
import Testing

@Suite("Folders made at once or not at all")
struct AtomicFolderTests {
    private let folder: TemporaryFolder
    private let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.file("model")
    }

    private struct Interrupted: Error {}

    private func make(_ text: String, overwrite: Bool = false, fails: Bool = false) throws {
        try AtomicFolder.write(path, overwrite: overwrite) { draft in
            try AtomicFile.write(draft + "/\(text).txt", bytes: Array(text.utf8))
            if fails { throw Interrupted() }
        }
    }

    private var files: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
    }

    @Test func appearUnderTheirNameWithOrdinaryPermissions() throws {
        try make("a")
        #expect(files == ["a.txt"] && folder.contents == ["model"])
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        let mask = umask(0)
        umask(mask)
        #expect(attributes[.posixPermissions] as? Int == 0o777 & ~Int(mask))
    }

    @Test func areReplacedAsAWhole() throws {
        try make("a")
        #expect(throws: FileError(path: path, reason: .exists)) { try make("b") }
        try make("b", overwrite: true)
        #expect(files == ["b.txt"] && folder.contents == ["model"])
    }

    @Test func keepWhatWasThereWhenTheWriterFails() throws {
        #expect(throws: Interrupted.self) { try make("a", fails: true) }
        #expect(folder.contents.isEmpty)
        try make("a")
        #expect(throws: Interrupted.self) { try make("b", overwrite: true, fails: true) }
        #expect(files == ["a.txt"] && folder.contents == ["model"])
    }

    @Test func thatAKilledProgramBeganGoAndWhatWasThereBeforeStays() throws {
        for name in [
            ".model.draft.AbCdEf", ".model.draft.AbCdEf.previous", ".other.draft.AbCdEf",
        ] {
            try FileManager.default.createDirectory(
                atPath: folder.file(name + "/inside"), withIntermediateDirectories: true)
        }
        try make("a")
        #expect(
            folder.contents == [".model.draft.AbCdEf.previous", ".other.draft.AbCdEf", "model"])
    }

    @Test func replaceNoFile() throws {
        try AtomicFile.write(path, bytes: Array("old".utf8))
        #expect(throws: FileError.self) { try make("a", overwrite: true) }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "old")
    }
}
