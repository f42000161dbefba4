import FileSupport
import Foundation
import TestSupport
import Testing

@Suite("What is no file, and files that are not what they were")
struct WholeFileTests {
    private let folder: TemporaryFolder
    private let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.file("a")
    }

    // Waiting for a thread beside other tests counts, too.
    @Test(.timeLimit(.minutes(10)))
    func pipesAndDevicesAreRefusedWithoutWaiting() throws {
        mkfifo(path, 0o600)
        for (place, name) in [
            (path, "a pipe"), ("/dev/null", "a device"), ("/dev/zero", "a device"),
        ] {
            let expected = FileError(path: place, reason: .noFile(name))
            #expect(throws: expected) { try MappedFile(path: place) }
            #expect(throws: expected) { try WholeFile.bytes(place) }
            #expect(WholeFile.contents(place) == nil)
        }
        #expect(throws: FileError.self) { try WholeFile.bytes(folder.path) }
    }

    @Test func filesAreReadWhole() throws {
        for size in [0, 1, 100_000] {
            let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            try AtomicFile.write(path, bytes: bytes)
            #expect(try WholeFile.bytes(path) == bytes)
        }
    }

    @Test func anyDamageChangesTheDigest() throws {
        let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let digest = bytes.withUnsafeBytes(ByteDigest.of)
        #expect(digest.count == 16)
        var others: Set<String> = []
        for place in bytes.indices {
            for change in [0x01, 0x80, 0xFF] as [UInt8] {
                var damaged = bytes
                damaged[place] ^= change
                others.insert(damaged.withUnsafeBytes(ByteDigest.of))
            }
        }
        // Zeros at the end count as well.
        for count in [0, 1, 63, 64, 65, 999] {
            others.insert(bytes.prefix(count).withUnsafeBytes(ByteDigest.of))
            others.insert(
                (bytes + [UInt8](repeating: 0, count: count + 1)).withUnsafeBytes(ByteDigest.of))
        }
        #expect(others.count == 3 * bytes.count + 12 && !others.contains(digest))
    }

    @Test func sealedFilesAreKnownAgain() throws {
        try AtomicFile.write(path, bytes: [1, 2, 3])
        #expect(SealedFile.state(of: path) == .unsealed)
        try SealedFile.seal(path)
        #expect(SealedFile.state(of: path) == .intact && SealedFile.state(of: path) == .intact)
        // The same bytes in another file are the same.
        try AtomicFile.write(path, bytes: [1, 2, 3])
        #expect(SealedFile.state(of: path) == .intact)
        try AtomicFile.write(path, bytes: [1, 2, 4])
        #expect(SealedFile.state(of: path) == .damaged)
        try FileManager.default.removeItem(atPath: path)
        #expect(SealedFile.state(of: path) == .damaged)
    }

    @Test func aSealThatCannotBeReadProvesNothing() throws {
        try AtomicFile.write(path, bytes: [1, 2, 3])
        try SealedFile.seal(path)
        try AtomicFile.write(path + ".digest", bytes: Array("{}".utf8))
        #expect(SealedFile.state(of: path) == .damaged)
    }
}
