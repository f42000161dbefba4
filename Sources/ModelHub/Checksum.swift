internal import CHub
internal import FileSupport
internal import Foundation

/// The sum that a file's bytes must have.
public struct Checksum: Hashable, Sendable {
    /// The sums that hubs list.
    public enum Kind: String, Hashable, Sendable {
        /// SHA-256, which hubs list for large files.
        case sha256
        /// The name that Git gives to a file: SHA-1 over its length and its bytes.
        case gitBlob
        /// MD5, which DiffSynth-Studio tells checkpoints apart by.
        case md5

        /// What people call it.
        var title: String {
            switch self {
            case .sha256: "SHA-256"
            case .gitBlob: "Git's SHA-1"
            case .md5: "MD5"
            }
        }
    }

    /// How the bytes are summed up.
    public var kind: Kind
    /// Lower-case hexadecimal digits.
    public var value: String

    /// Reads hexadecimal digits; nil where they are none, or not as many as the kind has.
    public init?(_ kind: Kind, _ digits: String) {
        let count =
            switch kind {
            case .sha256: 64
            case .gitBlob: 40
            case .md5: 32
            }
        guard digits.utf8.count == count, digits.allSatisfy({ $0.isASCII && $0.isHexDigit })
        else { return nil }
        self.kind = kind
        value = digits.lowercased()
    }

    /// The sum that a hub lists for a file; nil where it lists none.
    ///
    /// - Throws: `HubError` for one that cannot be read: nothing could be checked by it.
    init?(_ kind: Kind, listed digits: String?, of path: String) throws {
        guard let digits, !digits.isEmpty else { return nil }
        guard let sum = Checksum(kind, digits) else {
            throw HubError(
                path,
                .badAnswer("the hub lists '\(digits.prefix(80))' as its \(kind.title)"))
        }
        self = sum
    }

    private init(_ kind: Kind, bytes: [UInt8]) {
        self.kind = kind
        value = bytes.map { byte in
            String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }.joined()
    }

    /// Sums up a file.
    ///
    /// - Parameters:
    ///   - size: the bytes at its start that count; all without it.
    ///   - goesOn: asked for every few megabytes; false ends with `CancellationError`.
    /// - Throws: `FileError` when it cannot be read.
    public static func of(
        _ path: String, _ kind: Kind, size: Int? = nil, while goesOn: () -> Bool = { true }
    ) throws -> Checksum {
        let file = try MappedFile(path: path)
        return try withExtendedLifetime(file) {
            let bytes = file.bytes.prefix(size ?? file.size)
            let digest = Digest(kind, size: bytes.count)
            let piece = 8 << 20
            for start in stride(from: 0, to: bytes.count, by: piece) {
                guard goesOn() else { throw CancellationError() }
                digest.add(UnsafeRawBufferPointer(rebasing: bytes[start...].prefix(piece)))
            }
            return Checksum(kind, bytes: digest.end())
        }
    }

    /// Sums up bytes in memory.
    public static func of(_ bytes: some Sequence<UInt8>, _ kind: Kind) -> Checksum {
        let all = Array(bytes)
        let digest = Digest(kind, size: all.count)
        all.withUnsafeBytes { digest.add($0) }
        return Checksum(kind, bytes: digest.end())
    }
}

private struct Digest {
    private let raw: OpaquePointer

    init(_ kind: Checksum.Kind, size: Int) {
        let name = kind == .gitBlob ? "sha1" : kind.rawValue
        guard let raw = ch_digest_begin(name) else {
            preconditionFailure("libcrypto has no \(name)")
        }
        self.raw = raw
        if kind == .gitBlob {
            Array("blob \(size)\0".utf8).withUnsafeBytes { add($0) }
        }
    }

    func add(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        precondition(ch_digest_add(raw, base, bytes.count) == 1, "libcrypto cannot add bytes")
    }

    func end() -> [UInt8] {
        var sum = [UInt8](repeating: 0, count: Int(CH_DIGEST_SIZE))
        let count = ch_digest_end(raw, &sum)
        precondition(count > 0, "libcrypto cannot end a sum")
        return Array(sum.prefix(count))
    }
}
