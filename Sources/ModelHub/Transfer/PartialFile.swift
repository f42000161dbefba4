internal import FileSupport
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
    private let state: Mutex<State>
    private static let magic: UInt64 = 0x3150_3278_756C_46  // "Flux2P1"

    private struct State {
        /// Bytes received of each part.
        var received: [Int]
        /// Grows with each restart, so that what was asked for before it is not counted.
        var generation = 0
    }

    /// What came is of an attempt that has been given up.
    struct Superseded: Error {}

    /// Opens what an earlier attempt left, or begins anew.
    ///
    /// - Parameter isChecked: whether a sum will tell if bytes of an earlier attempt are of the same
    ///   content; without, nothing is taken from there.
    /// - Throws: `FileError`; `HubError` when another process writes it.
    init(path: String, size: Int, partSize: Int, isChecked: Bool) throws {
        self.path = path
        self.size = size
        self.partSize = partSize
        descriptor = try Self.locked(path)
        let parts = stride(from: 0, to: size, by: partSize).map {
            $0..<min(size, $0 + partSize)
        }
        let table = isChecked ? Self.table(descriptor, size: size, parts: parts) : nil
        state = Mutex(State(received: table ?? parts.map { _ in 0 }))
        // Fixing the length first keeps the table in its place, whatever is written when.
        guard ftruncate(descriptor, off_t(size + 8 * (parts.count + 1))) == 0 else {
            throw FileError.failed("write", path)
        }
        try write(Self.magic, at: size)
        for (part, count) in (table ?? []).enumerated() {
            try write(UInt64(count), at: size + 8 * (part + 1))
        }
    }

    /// Opens a file for this process alone.
    private static func locked(_ path: String) throws -> Int32 {
        while true {
            let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
            guard descriptor >= 0 else { throw FileError.failed("write", path) }
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                close(descriptor)
                throw HubError(path, .badSetting("another process is fetching this file"))
            }
            // Whoever held the lock before may have given the file its final name.
            var (own, named) = (stat(), stat())
            if fstat(descriptor, &own) == 0, stat(path, &named) == 0, own.st_ino == named.st_ino {
                return descriptor
            }
            close(descriptor)
        }
    }

    deinit { close(descriptor) }

    /// The table of an earlier attempt, if the file ends with a sound one.
    private static func table(
        _ descriptor: Int32, size: Int, parts: [Range<Int>]
    ) -> [Int]? {
        var words = [UInt64](repeating: 0, count: parts.count + 1)
        let bytes = 8 * words.count
        let length = lseek(descriptor, 0, SEEK_END)
        // Cut off for publishing, which did not come to its end.
        if length == size, size > 0 { return parts.map(\.count) }
        guard length == size + bytes,
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
        state.withLock { state in
            state.received.indices.filter { state.received[$0] < range(of: $0).count }
        }
    }

    /// The bytes of a part that are still to come.
    func rest(of part: Int) -> Range<Int> {
        state.withLock { range(of: part).dropFirst($0.received[part]) }
    }

    /// The bytes received of all parts.
    var byteCount: Int { state.withLock { $0.received.reduce(0, +) } }

    /// Changes when everything received is forgotten.
    var generation: Int { state.withLock { $0.generation } }

    /// Takes the next bytes of a part.
    ///
    /// - Parameter generation: that of the time when they were asked for.
    /// - Throws: `Superseded` when all was forgotten since; `FileError`.
    func append(
        _ bytes: UnsafeRawBufferPointer, to part: Int, generation: Int
    ) throws {
        let start = try state.withLock { state in
            guard state.generation == generation else { throw Superseded() }
            return range(of: part).lowerBound + state.received[part]
        }
        try write(bytes, at: start)
        let count = try state.withLock { state in
            guard state.generation == generation else { throw Superseded() }
            state.received[part] += bytes.count
            return state.received[part]
        }
        try write(UInt64(count), at: size + 8 * (part + 1))
    }

    /// Forgets everything received.
    func restart() throws {
        let count = state.withLock { state in
            state.received = state.received.map { _ in 0 }
            state.generation += 1
            return state.received.count
        }
        for part in 0..<count { try write(0, at: size + 8 * (part + 1)) }
    }

    /// Makes sure that the disk has the bytes, and cuts the table off.
    func complete() throws {
        guard fsync(descriptor) == 0, ftruncate(descriptor, off_t(size)) == 0 else {
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
