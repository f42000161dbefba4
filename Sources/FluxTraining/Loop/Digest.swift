internal import ModelHub

/// Short names for long things.
enum Digest {
    /// SHA-256 over texts, in hexadecimal digits.
    static func of(_ texts: [String]) -> String {
        Checksum.of(Array(texts.joined(separator: "\n").utf8), .sha256).value
    }
}
