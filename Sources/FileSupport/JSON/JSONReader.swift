/// Reads JSON from bytes, value by value, without building a tree.
///
/// A vocabulary file holds half a million short strings, and going through a general decoder would
/// cost more than everything else the tokenizer does; a tensor file's header must be read strictly,
/// repeated keys included. Positions are byte offsets, so a value can be skipped first and read
/// later.
package struct JSONReader {
    /// Deeper nesting than any of our files has; protects the stack from hostile ones.
    private static let deepestNesting = 64

    let bytes: [UInt8]
    /// Bytes before the next one to be read.
    package var position = 0
    private var depth = 0

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Reads a whole document into a tree.
    package mutating func document() throws -> JSONValue {
        let value = try value()
        try expectEnd()
        return value
    }

    /// Checks that only blanks follow.
    package mutating func expectEnd() throws {
        skipBlanks()
        guard position == bytes.count else { throw malformed("the end of the file") }
    }

    // MARK: Containers

    /// Reads an object; `body` stands before the value of each member and must read it.
    ///
    /// The key is handed over as unescaped UTF-8 bytes.
    package mutating func object(_ body: (inout JSONReader, [UInt8]) throws -> Void) throws {
        var key: [UInt8] = []
        try elements(from: UInt8(ascii: "{"), to: UInt8(ascii: "}"), named: "an object") { reader in
            try reader.string(into: &key)
            try reader.expect(UInt8(ascii: ":"), "':'")
            try body(&reader, key)
        }
    }

    /// Reads an array; `body` stands before each element and must read it.
    package mutating func array(_ body: (inout JSONReader) throws -> Void) throws {
        try elements(
            from: UInt8(ascii: "["), to: UInt8(ascii: "]"), named: "an array", body)
    }

    /// The position of each member's value of the object that comes next.
    package mutating func memberPositions() throws -> [String: Int] {
        var positions: [String: Int] = [:]
        try object { reader, key in
            reader.skipBlanks()
            positions[String(decoding: key, as: UTF8.self)] = reader.position
            try reader.skip()
        }
        return positions
    }

    private mutating func elements(
        from open: UInt8, to close: UInt8, named name: String,
        _ body: (inout JSONReader) throws -> Void
    ) throws {
        try expect(open, name)
        depth += 1
        guard depth <= Self.deepestNesting else { throw malformed("less nesting") }
        defer { depth -= 1 }
        guard peek() != close else { return position += 1 }
        while true {
            try body(&self)
            guard peek() != close else { return position += 1 }
            try expect(UInt8(ascii: ","), "',' or the end of \(name)")
        }
    }

    // MARK: Scalars

    /// Reads an integer; fractions and exponents are refused.
    package mutating func integer() throws -> Int {
        skipBlanks()
        let start = position
        let text = number()
        // What has a sign is no number that counts, so zero has none.
        guard text != "-0", let value = Int(text) else {
            position = start
            throw malformed("an integer")
        }
        return value
    }

    /// Reads a string.
    package mutating func string() throws -> String {
        var content: [UInt8] = []
        let start = position
        try string(into: &content)
        return try text(of: content, at: start)
    }

    /// Reads any value into a tree.
    package mutating func value() throws -> JSONValue {
        switch peek() {
        case UInt8(ascii: "{"):
            return .object(try members())
        case UInt8(ascii: "["):
            var items: [JSONValue] = []
            try array { items.append(try $0.value()) }
            return .array(items)
        case UInt8(ascii: "\""):
            return .string(try string())
        default:
            return try literal()
        }
    }

    private mutating func members() throws -> [String: JSONValue] {
        var members: [String: JSONValue] = [:]
        try object { reader, key in
            let name = try reader.text(of: key, at: reader.position)
            members[name] = try reader.value()
        }
        return members
    }

    private mutating func literal() throws -> JSONValue {
        let literals: [(String, JSONValue)] = [
            ("true", .boolean(true)), ("false", .boolean(false)), ("null", .null),
        ]
        for (name, value) in literals where bytes[position...].starts(with: name.utf8) {
            position += name.utf8.count
            return value
        }
        let start = position
        guard let value = Double(number()) else {
            position = start
            throw malformed("a value")
        }
        return .number(value)
    }

    /// The text of a number; empty where there is none. `01`, `+1`, `1.` and `.5` are not JSON.
    private mutating func number() -> String {
        let start = position
        _ = take("-")
        if !take("0"), digits() == 0 { return "" }
        if take("."), digits() == 0 { return "" }
        if take("e") || take("E") {
            _ = take("+") || take("-")
            if digits() == 0 { return "" }
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func take(_ sign: Unicode.Scalar) -> Bool {
        guard position < bytes.count, bytes[position] == UInt8(ascii: sign) else { return false }
        position += 1
        return true
    }

    private mutating func digits() -> Int {
        let start = position
        while position < bytes.count, (0x30...0x39).contains(bytes[position]) { position += 1 }
        return position - start
    }

    // MARK: Skipping

    /// Steps over the next value; its content is checked when it is read, not here.
    package mutating func skip() throws {
        switch peek() {
        case UInt8(ascii: "{"), UInt8(ascii: "["): try skipContainer()
        case UInt8(ascii: "\""): try skipString()
        default: _ = try literal()
        }
    }

    private mutating func skipContainer() throws {
        var open = 0
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                try skipString()
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["): open += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): open -= 1
            default: break
            }
            position += 1
            if open == 0 { return }
        }
        throw malformed("the end of an object or array")
    }

    private mutating func skipString() throws {
        position += 1
        while position < bytes.count {
            let byte = bytes[position]
            position += byte == UInt8(ascii: "\\") ? 2 : 1
            if byte == UInt8(ascii: "\"") { return }
        }
        throw malformed("the end of a string")
    }

    /// Steps over blanks.
    package mutating func skipBlanks() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            default: return
            }
        }
    }

    // MARK: Helpers

    /// The next byte that is not blank, without stepping over it.
    package mutating func peek() -> UInt8? {
        skipBlanks()
        return position < bytes.count ? bytes[position] : nil
    }

    /// Steps over one expected byte and the blanks before it.
    package mutating func expect(_ byte: UInt8, _ name: String) throws {
        guard peek() == byte else { throw malformed(name) }
        position += 1
    }

    /// An error at the present position.
    package func malformed(_ expected: String) -> JSONError {
        let found =
            position < bytes.count
            ? "'\(Unicode.Scalar(bytes[position]).escaped(asASCII: true))'" : "the end of the file"
        return JSONError(
            position: min(position, bytes.count), expected: expected, found: found)
    }

    private func text(of content: [UInt8], at start: Int) throws -> String {
        guard let text = validated(content) else {
            throw JSONError(position: start, expected: "UTF-8", found: "other bytes")
        }
        return text
    }
}
