import Foundation

/// A kept file with the digest of its bytes, in a small file `….digest` beside it.
///
/// A file is read through when it is opened first; from then on, its size, its times and its place on the
/// disk tell that it is still the one that was read.
public enum SealedFile {
    private struct Seal: Codable, Equatable {
        var digest: String
        /// The file that was read through and found right; nil until then.
        var seen: Identity?
    }

    private struct Identity: Codable, Equatable {
        var size: Int
        var number: UInt64
        /// Nanoseconds since 1970: when its bytes, and when anything about it was changed.
        var written: Int
        var changed: Int
    }

    /// What is known of a file's bytes.
    public enum State: Hashable, Sendable {
        /// They are those that were sealed.
        case intact
        /// They are others.
        case damaged
        /// Nobody sealed them.
        case unsealed
    }

    /// Notes what a file's bytes are.
    ///
    /// - Throws: `FileError`.
    public static func seal(_ path: String) throws {
        let file = try MappedFile(path: path)
        let digest = withExtendedLifetime(file) { ByteDigest.of(file.bytes) }
        try write(Seal(digest: digest), for: path)
    }

    /// Looks whether a file's bytes are those that were sealed.
    public static func state(of path: String) -> State {
        guard let text = WholeFile.contents(sealPath(path)) else { return .unsealed }
        guard let seal = try? JSONDecoder().decode(Seal.self, from: text),
            let file = try? MappedFile(path: path), let identity = identity(of: path)
        else { return .damaged }
        if seal.seen == identity { return .intact }
        let digest = withExtendedLifetime(file) { ByteDigest.of(file.bytes) }
        guard digest == seal.digest else { return .damaged }
        // Where this cannot be noted, the file is read through again next time.
        try? write(Seal(digest: seal.digest, seen: identity), for: path)
        return .intact
    }

    private static func sealPath(_ path: String) -> String { path + ".digest" }

    private static func write(_ seal: Seal, for path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        try AtomicFile.write(sealPath(path), bytes: Array(encoder.encode(seal)))
    }

    private static func identity(of path: String) -> Identity? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        #if os(Linux)
            let (written, changed) = (status.st_mtim, status.st_ctim)
        #else
            let (written, changed) = (status.st_mtimespec, status.st_ctimespec)
        #endif
        func nanoseconds(_ time: timespec) -> Int { time.tv_sec * 1_000_000_000 + time.tv_nsec }
        return Identity(
            size: Int(status.st_size), number: UInt64(status.st_ino),
            written: nanoseconds(written), changed: nanoseconds(changed))
    }
}
