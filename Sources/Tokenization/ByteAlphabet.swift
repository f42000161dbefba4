/// The printable alphabet in which byte-level vocabularies spell bytes.
///
/// Printable Latin-1 bytes stand for themselves; the other 68, in increasing order, are written as
/// U+0100, U+0101 and so on, so a space becomes `Ġ` and a line feed `Ċ`.
package enum ByteAlphabet {
    /// One more than the largest code point of the alphabet.
    private static let end = 0x144

    /// The character of each byte.
    static let characters: [Unicode.Scalar] = {
        var next: UInt32 = 0x100
        return (UInt8.min...UInt8.max).map { byte in
            if isPrintable(byte) { return Unicode.Scalar(byte) }
            defer { next += 1 }
            return Unicode.Scalar(next) ?? "\u{FFFD}"
        }
    }()

    /// The byte of each code point, -1 where there is none.
    private static let bytes: [Int16] = {
        var table = [Int16](repeating: -1, count: end)
        for (byte, character) in characters.enumerated() {
            table[Int(character.value)] = Int16(byte)
        }
        return table
    }()

    private static func isPrintable(_ byte: UInt8) -> Bool {
        0x21...0x7E ~= byte || 0xA1...0xAC ~= byte || byte >= 0xAE
    }

    /// Appends the bytes that a spelling stands for.
    ///
    /// - Returns: False when the spelling has a character outside the alphabet; `bytes` is
    ///   undefined then.
    static func append(
        spelling: some RandomAccessCollection<UInt8>, to content: inout [UInt8]
    ) -> Bool {
        var pending: Int?  // the lead byte of a two-byte sequence
        for unit in spelling {
            var point = Int(unit)
            if let lead = pending {
                guard unit & 0xC0 == 0x80 else { return false }
                point = (lead & 0x1F) << 6 | Int(unit & 0x3F)
                pending = nil
            } else if unit >= 0x80 {
                // No character of the alphabet needs more than two bytes.
                guard 0xC2...0xC5 ~= unit else { return false }
                pending = point
                continue
            }
            guard point < end, bytes[point] >= 0 else { return false }
            content.append(UInt8(bytes[point]))
        }
        return pending == nil
    }

    /// The spelling of some bytes.
    package static func spelling(of bytes: some Sequence<UInt8>) -> String {
        var text = String.UnicodeScalarView()
        for byte in bytes { text.append(characters[Int(byte)]) }
        return String(text)
    }
}
