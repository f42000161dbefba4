internal import ModelHub

/// Short names for long things.
enum Digest {
    /// SHA-256 over texts, in hexadecimal digits.
    static func of(_ texts: [String]) -> String {
        of(Array(texts.joined(separator: "\n").utf8))
    }

    /// SHA-256 over bytes, in hexadecimal digits.
    static func of(_ bytes: [UInt8]) -> String { Checksum.of(bytes, .sha256).value }
}
