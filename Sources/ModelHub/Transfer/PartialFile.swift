internal import Files
internal import Foundation
internal import Synchronization

/// A file that is being fetched in parts, and remembers how far each part is.
///
/// Behind the bytes of the file stands a table with the bytes received of each part, written after
/// them; so what a stopped program had received is not asked for again.
final class PartialFile: Sendable {
    let path: String
    let size: Int
    private let partSize: Int
    private let descriptor: Int32
    private let received: Mutex<[Int]>
    private static let magic: UInt64 = 0x3150_3278_756C_46  // "Flux2P1"

    /// Opens what an earlier attempt left, or begins anew.
    ///
    /// - Throws: `FileError`; `HubError` when another process writes it.
    init(path: String, size: Int, partSize: Int) throws {
        self.path = path
        self.size = size
        self.partSize = partSize
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw FileError.failed("write", path) }
        self.descriptor = descriptor
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw HubError(path, .badSetting("another process is fetching this file"))
        }
        let parts = stride(from: 0, to: size, by: partSize).map {
            $0..<min(size, $0 + partSize)
        }
        let table = Self.table(descriptor, size: size, parts: parts)
        received = Mutex(table ?? parts.map { _ in 0 })
        // Fixing the length first keeps the table in its place, whatever is written when.
        guard ftruncate(descriptor, off_t(size + 8 * (parts.count + 1))) == 0 else {
            throw FileError.failed("write", path)
        }
        try write(Self.magic, at: size)
    }

    deinit { close(descriptor) }

    /// The table of an earlier attempt, if the file ends with a sound one.
    private static func table(
        _ descriptor: Int32, size: Int, parts: [Range<Int>]
    ) -> [Int]? {
        var words = [UInt64](repeating: 0, count: parts.count + 1)
        let bytes = 8 * words.count
        guard lseek(descriptor, 0, SEEK_END) == size + bytes,
            pread(descriptor, &words, bytes, off_t(size)) == bytes, words[0] == magic
        else { return nil }
        let table = words.dropFirst().map { Int(truncatingIfNeeded: $0) }
        let isSound = zip(parts, table).allSatisfy { (0...$0.count).contains($1) }
        return isSound ? table : nil
    }

    private func range(of part: Int) -> Range<Int> {
        part * partSize..<min(size, (part + 1) * partSize)
    }

    /// The parts that are not complete.
    var openParts: [Int] {
        received.withLock { received in
            received.indices.filter { received[$0] < range(of: $0).count }
        }
    }

    /// The bytes of a part that are still to come.
    func rest(of part: Int) -> Range<Int> {
        let range = range(of: part)
        return received.withLock { range.dropFirst($0[part]) }
    }

    /// The bytes received of all parts.
    var byteCount: Int { received.withLock { $0.reduce(0, +) } }

    /// Takes the next bytes of a part.
    func append(_ bytes: UnsafeRawBufferPointer, to part: Int) throws {
        let start = rest(of: part).lowerBound
        try write(bytes, at: start)
        let count = received.withLock { received in
            received[part] += bytes.count
            return received[part]
        }
        try write(UInt64(count), at: size + 8 * (part + 1))
    }

    /// Forgets everything received.
    func restart() throws {
        let count = received.withLock { received in
            received = received.map { _ in 0 }
            return received.count
        }
        for part in 0..<count { try write(0, at: size + 8 * (part + 1)) }
    }

    /// Cuts the table off and makes sure that the disk has the bytes.
    func complete() throws {
        guard ftruncate(descriptor, off_t(size)) == 0, fsync(descriptor) == 0 else {
            throw FileError.failed("write", path)
        }
    }

    private func write(_ word: UInt64, at place: Int) throws {
        try withUnsafeBytes(of: word.littleEndian) { try write($0, at: place) }
    }

    private func write(_ bytes: UnsafeRawBufferPointer, at place: Int) throws {
        var (rest, place) = (bytes[...], place)
        while !rest.isEmpty {
            let count = pwrite(
                descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count,
                off_t(place))
            if count < 0 {
                if errno == EINTR { continue }
                throw FileError.failed("write", path)
            }
            rest = rest.dropFirst(count)
            place += count
        }
    }
}
