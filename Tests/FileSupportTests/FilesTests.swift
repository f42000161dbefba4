import FileSupport
import Foundation
import TestSupport
import Testing

@Suite("Files")
struct FilesTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Suite("written at once or not at all")
    struct Atomic {
        let folder: TemporaryFolder

        init() throws { folder = try TemporaryFolder() }

        @Test func appearUnderTheirNameWithOrdinaryPermissions() throws {
            let path = folder.file("a.txt")
            try AtomicFile.write(path, bytes: Array("new".utf8))
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "new")
            #expect(folder.contents == ["a.txt"])
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            let mode = try #require(attributes[.posixPermissions] as? Int)
            #expect(mode & 0o600 == 0o600 && mode & 0o111 == 0)
        }

        @Test func keepTheOldContentWhenTheWriterFails() throws {
            struct Interrupted: Error {}
            let path = folder.file("a.txt")
            try AtomicFile.write(path, bytes: Array("old".utf8))
            #expect(throws: Interrupted.self) {
                try AtomicFile.write(path) { descriptor in
                    try Array("new".utf8).withUnsafeBytes {
                        try AtomicFile.append($0, to: descriptor, of: path)
                    }
                    throw Interrupted()
                }
            }
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "old")
            #expect(folder.contents == ["a.txt"])
        }

        @Test func leaveNothingWhenPendingOnesAreDiscarded() throws {
            let path = folder.file("a.txt")
            #expect(throws: FileError.self) {
                try AtomicFile.write(path) { _ in
                    #expect(folder.contents.count == 1)
                    AtomicFile.discardPending()
                    #expect(folder.contents.isEmpty)
                }
            }
            #expect(folder.contents.isEmpty)
        }

        @Test func thatAKilledProgramBeganAreDiscardedByName() throws {
            let kept = [".a.txt", ".a.txt.12345", ".b.md.AbCdEf", "a.txt", "a.txt.AbCdEf"]
            for name in kept + [".a.txt.AbCdEf"] {
                try Data().write(to: URL(fileURLWithPath: folder.file(name)))
            }
            try AtomicFile.write(folder.file("c.txt")) { _ in
                let before = folder.contents.count
                AtomicFile.discardAbandoned(in: folder.path) { $0.hasSuffix(".txt") }
                // The file that is being written is nobody else's.
                #expect(folder.contents.count == before - 1)
            }
            #expect(folder.contents == (kept + ["c.txt"]).sorted())
        }

        @Test func thatAKilledProgramBeganGoWhenTheFileIsWrittenAgain() throws {
            let names = [".a.txt.backup", ".a.txt.draft.AbCdEf", ".b.txt.draft.AbCdEf"]
            for name in names { try Data([1]).write(to: URL(fileURLWithPath: folder.file(name))) }
            // Another program may be writing the same file.
            let descriptor = open(folder.file(names[1]), O_RDONLY)
            #expect(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
            try AtomicFile.write(folder.file("a.txt"), bytes: [1])
            #expect(folder.contents == names + ["a.txt"])
            close(descriptor)
            try AtomicFile.write(folder.file("a.txt"), bytes: [1])
            #expect(folder.contents == [names[0], names[2], "a.txt"])
        }

        @Test func doNotReplaceWhatMayNotBeReplaced() throws {
            let path = folder.file("a.txt")
            try AtomicFile.write(path, bytes: Array("old".utf8))
            let early = try #require(throws: FileError.self) {
                try AtomicFile.write(path, bytes: [1], overwrite: false)
            }
            #expect(early.reason == .exists && early.description.hasPrefix(path))
            // Nor what appears while the file is being written.
            let other = folder.file("b.txt")
            let late = try #require(throws: FileError.self) {
                try AtomicFile.write(other, overwrite: false) { _ in
                    try "rival".write(toFile: other, atomically: true, encoding: .utf8)
                }
            }
            #expect(late.reason == .exists)
            #expect(try String(contentsOfFile: other, encoding: .utf8) == "rival")
            #expect(folder.contents == ["a.txt", "b.txt"])
        }

        @Test func nameTheFolderThatIsNotThere() throws {
            let error = try #require(throws: FileError.self) {
                try AtomicFile.checkWritable(folder.file("none/a.txt"))
            }
            #expect(
                error.description == "\(folder.file("none")): cannot write into: "
                    + "no such file or folder")
            #expect(throws: FileError.self) { try AtomicFile.checkWritable(folder.path) }
        }

        @Test func acceptVeryLongNames() throws {
            let name = String(repeating: "n", count: 250)
            try AtomicFile.write(folder.file(name), bytes: [1, 2, 3])
            #expect(folder.contents == [name])
        }
    }

    @Test func areMappedReadOnlyAndWhole() throws {
        let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try AtomicFile.write(folder.file("a"), bytes: bytes)
        let file = try MappedFile(path: folder.file("a"))
        #expect(file.bytes.elementsEqual(bytes))
        file.advise(.willNeed, 5..<200_000)
        file.advise(.dontNeed, 0..<100_000)
        #expect(file.bytes.elementsEqual(bytes))
    }

    @Test func thatAreEmptyMapToNothing() throws {
        try AtomicFile.write(folder.file("a"), bytes: [])
        #expect(try MappedFile(path: folder.file("a")).size == 0)
    }

    @Test func thatCannotBeMappedSayWhy() throws {
        let missing = try #require(throws: FileError.self) {
            try MappedFile(path: folder.file("none"))
        }
        #expect(
            missing.description
                == "\(folder.file("none")): cannot open: no such file or folder")
        let aFolder = try #require(throws: FileError.self) { try MappedFile(path: folder.path) }
        #expect(aFolder.description.contains("is a directory"))
    }

    @Test func knowTheRoomOnTheirDisk() throws {
        #expect(try DiskSpace.free(at: folder.path) > 0)
        #expect(throws: FileError.self) { try DiskSpace.free(at: folder.file("none")) }
    }
}
