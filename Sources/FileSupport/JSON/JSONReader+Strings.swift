extension JSONReader {
    /// Reads a string as unescaped bytes, replacing what `content` held.
    ///
    /// The bytes are those of the file; that they are UTF-8 is for the caller to check.
    package mutating func string(into content: inout [UInt8]) throws {
        try expect(UInt8(ascii: "\""), "a string")
        content.removeAll(keepingCapacity: true)
        var start = position
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") {
                content.append(contentsOf: bytes[start..<position])
                position += 1
                return
            }
            guard byte >= 0x20 else { throw malformed("an escaped control character") }
            if byte == UInt8(ascii: "\\") {
                content.append(contentsOf: bytes[start..<position])
                position += 1
                try escape(into: &content)
                start = position
            } else {
                position += 1
            }
        }
        throw malformed("the end of a string")
    }

    private mutating func escape(into content: inout [UInt8]) throws {
        guard position < bytes.count else { throw malformed("the end of a string") }
        let replacement: UInt8
        switch bytes[position] {
        case UInt8(ascii: "u"):
            position += 1
            return content.append(contentsOf: String(try escapedScalar()).utf8)
        case UInt8(ascii: "n"): replacement = 0x0A
        case UInt8(ascii: "t"): replacement = 0x09
        case UInt8(ascii: "r"): replacement = 0x0D
        case UInt8(ascii: "b"): replacement = 0x08
        case UInt8(ascii: "f"): replacement = 0x0C
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
            replacement = bytes[position]
        default: throw malformed("an escape sequence")
        }
        content.append(replacement)
        position += 1
    }

    private mutating func escapedScalar() throws -> Unicode.Scalar {
        let first = try hexadecimal()
        if let scalar = Unicode.Scalar(first) { return scalar }
        // What is no scalar by itself is half of a surrogate pair.
        guard first < 0xDC00, bytes[position...].starts(with: "\\u".utf8) else {
            throw malformed("the second half of a surrogate pair")
        }
        position += 2
        let second = try hexadecimal()
        guard 0xDC00...0xDFFF ~= second,
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw malformed("the second half of a surrogate pair") }
        return scalar
    }

    private mutating func hexadecimal() throws -> UInt32 {
        let digits = bytes[position...].prefix(4)
        guard digits.count == 4,
            digits.allSatisfy({ Unicode.Scalar($0).properties.isASCIIHexDigit }),
            let value = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw malformed("four hexadecimal digits") }
        position += 4
        return value
    }
}
