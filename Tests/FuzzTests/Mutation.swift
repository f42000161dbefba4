import Foundation

/// Random numbers that follow from a seed, so that an input can be made again.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: Int) { state = UInt64(bitPattern: Int64(seed)) }

    // SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }

    /// Whether something of this probability happens.
    mutating func happens(_ share: Double) -> Bool {
        Double.random(in: 0..<1, using: &self) < share
    }
}

/// Changes of files that keep most of their structure, so that what lies behind it is reached.
struct Mutation {
    var generator: SeededGenerator

    init(_ seed: Int) { generator = SeededGenerator(seed) }

    static let numbers = [
        "-1", "0", "-0", "1", "2", "3", "255", "65536", "1048576", "2147483647", "2147483648",
        "4294967296", "4611686018427387904", "9223372036854775807", "9223372036854775808",
        "-9223372036854775808", "18446744073709551615", "18446744073709551616", "1.5", "1e3", "0.0",
        "1e400", "-1e400", "1e308", "5e-324", "NaN", "Infinity", "+5", "01", "1.", ".5", "1e",
        "--1",
    ]
    static let texts = [
        "", "x", "\\u0000", "\\ud800", "\\ud83d\\ude00", "../../etc/passwd", "/dev/zero", "é",
        "e\u{301}",
        "\u{FEFF}", "\\u001b[2J", "nan", "inf", "(.*.*)*z", "[", "a{1,99999}", "%s%n", "true",
        "F32",
        "9223372036854775807", "float8_e4m3fn", "int8_tensorwise", "feathered 8 nan",
        "overlapping 0 0",
    ]
    static let others = [
        "null", "true", "false", "[]", "{}", "\"\"", "[[]]", "{\"a\":{}}", "[1,\"a\"]",
        String(repeating: "[", count: 80) + String(repeating: "]", count: 80),
        String(repeating: "[", count: 100_000),
    ]

    mutating func pick<Element>(_ pool: [Element]) -> Element {
        pool[Int.random(in: pool.indices, using: &generator)]
    }

    // MARK: Bytes

    /// Some bytes are others, are gone, or are there twice.
    mutating func bytes(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
            let place = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<7, using: &generator) {
            case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 1: bytes[place] = .random(in: .min ... .max, using: &generator)
            case 2: bytes[place] = pick([0, 1, 0x7F, 0x80, 0xFF])
            case 3: bytes.removeSubrange(place...)
            case 4:
                let end = min(bytes.count, place + Int.random(in: 1...16, using: &generator))
                bytes.removeSubrange(place..<end)
            case 5:
                let end = min(bytes.count, place + Int.random(in: 1...64, using: &generator))
                bytes.insert(contentsOf: bytes[place..<end], at: place)
            default: integer(at: place, in: &bytes)
            }
        }
        return bytes
    }

    /// An integer of 2, 4 or 8 bytes is another, in either order of bytes.
    mutating func integer(at place: Int, in bytes: inout [UInt8]) {
        let width = pick([2, 4, 8])
        guard place + width <= bytes.count else { return }
        let values: [UInt64] = [
            0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 1 << 62,
            .max >> 1, 1 << 63, .max, .max - 7, UInt64(bytes.count),
            .random(in: 0..<64, using: &generator),
        ]
        var value = pick(values)
        if generator.happens(0.3) { value = value.byteSwapped }
        for index in 0..<width {
            bytes[place + index] = UInt8(truncatingIfNeeded: value >> (8 * index))
        }
    }

    // MARK: JSON

    /// A token of JSON is another, is gone, or is there twice; now and then only bytes are changed.
    mutating func json(_ text: [UInt8]) -> [UInt8] {
        if generator.happens(0.15) { return bytes(text) }
        var text = text
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
            let tokens = JSONTokens.of(text)
            guard let token = tokens.randomElement(using: &generator) else { break }
            text.replaceSubrange(token.range, with: other(token, in: text))
        }
        return text
    }

    private mutating func other(_ token: JSONTokens.Token, in text: [UInt8]) -> [UInt8] {
        let old = Array(text[token.range])
        switch Int.random(in: 0..<10, using: &generator) {
        case 0: return []
        case 1: return old + old
        case 2: return old + Array(",".utf8) + old
        case 3: return Array(pick(Self.others).utf8)
        case 4 where token.kind == .text, 5 where token.kind == .text:
            // JSON in a text is changed as JSON.
            guard let inner = JSONTokens.unquoted(old), inner.first == 0x7B else { break }
            return JSONTokens.quoted(json(inner))
        default: break
        }
        switch token.kind {
        case .number: return Array(pick(Self.numbers).utf8)
        case .text: return Array("\"\(pick(Self.texts))\"".utf8)
        case .other: return Array(pick(Self.numbers).utf8)
        case .sign: return [pick(Array(",:}] {".utf8))]
        }
    }
}

/// The tokens of text that is about JSON; what is none is passed over.
enum JSONTokens {
    enum Kind { case number, text, sign, other }

    struct Token {
        var kind: Kind
        var range: Range<Int>
    }

    static func of(_ text: [UInt8]) -> [Token] {
        var tokens: [Token] = []
        var place = 0
        while place < text.count {
            let start = place
            switch text[place] {
            case UInt8(ascii: "\""):
                place += 1
                while place < text.count, text[place] != UInt8(ascii: "\"") {
                    place += text[place] == UInt8(ascii: "\\") ? 2 : 1
                }
                place = min(text.count, place + 1)
                tokens.append(Token(kind: .text, range: start..<place))
            case UInt8(ascii: "{"), 0x7D, 0x5B, 0x5D, 0x2C, 0x3A:
                place += 1
                tokens.append(Token(kind: .sign, range: start..<place))
            case 0x20, 0x0A, 0x0D, 0x09: place += 1
            default:
                while place < text.count, !"{}[],:\" \n\r\t".utf8.contains(text[place]) {
                    place += 1
                }
                let isNumber = text[start] == 0x2D || (0x30...0x39).contains(text[start])
                tokens.append(Token(kind: isNumber ? .number : .other, range: start..<place))
            }
        }
        return tokens
    }

    /// The bytes that a text in quotes stands for; nil where it is none.
    static func unquoted(_ text: [UInt8]) -> [UInt8]? {
        let whole = Data("[".utf8) + Data(text) + Data("]".utf8)
        let array = try? JSONSerialization.jsonObject(with: whole) as? [Any]
        return (array?.first as? String).map { Array($0.utf8) }
    }

    static func quoted(_ bytes: [UInt8]) -> [UInt8] {
        let text = String(decoding: bytes, as: UTF8.self)
        let data = try? JSONSerialization.data(withJSONObject: [text])
        return Array((data ?? Data("[\"\"]".utf8)).dropFirst().dropLast())
    }
}
