internal import ModelHub

/// Short names for long things.
enum Digest {
    /// SHA-256 over texts, in hexadecimal digits.
    static func of(_ texts: [String]) -> String {
        of(Array(texts.joined(separator: "\n").utf8))
    }

    /// SHA-256 over bytes, in hexadecimal digits.
    static func of(_ bytes: [UInt8]) -> String { Checksum.of(bytes, .sha256).value }

    /// The first 16 digits, for people to see that two things differ.
    static func brief(_ texts: [String]) -> String { String(of(texts).prefix(16)) }

    /// The first 64 bits.
    static func number(_ texts: [String]) -> UInt64 { UInt64(brief(texts), radix: 16) ?? 0 }
}
