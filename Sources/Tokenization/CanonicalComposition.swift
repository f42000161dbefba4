import Foundation

/// Normalization form C.
enum CanonicalComposition {
    /// The composed form of valid UTF-8.
    static func composed(_ bytes: [UInt8]) -> [UInt8] {
        // Nothing below U+0300 composes with anything or is a decomposition's origin.
        guard bytes.contains(where: { $0 >= 0xCC }) else { return bytes }
        let text = String(decoding: bytes, as: UTF8.self)
        return Array(text.precomposedStringWithCanonicalMapping.utf8)
    }
}
