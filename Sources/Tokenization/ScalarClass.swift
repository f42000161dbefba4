/// What the pre-tokenizer patterns ask about a Unicode scalar.
struct ScalarClass: OptionSet, Sendable {
    let rawValue: UInt16

    static let letter = ScalarClass(rawValue: 1 << 0)  // \p{L}
    static let number = ScalarClass(rawValue: 1 << 1)  // \p{N}
    static let space = ScalarClass(rawValue: 1 << 2)  // \s
    static let lineBreak = ScalarClass(rawValue: 1 << 3)  // [\r\n]
    static let opening = ScalarClass(rawValue: 1 << 4)  // [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]
    static let closing = ScalarClass(rawValue: 1 << 5)  // [\p{Ll}\p{Lm}\p{Lo}\p{M}]
    static let blank = ScalarClass(rawValue: 1 << 6)  // U+0020
    static let slash = ScalarClass(rawValue: 1 << 7)
    static let apostrophe = ScalarClass(rawValue: 1 << 8)

    static let letterOrNumber: ScalarClass = [.letter, .number]
    static let wordOrSpace: ScalarClass = [.letter, .number, .space]
    static let wordOrLineBreak: ScalarClass = [.letter, .number, .lineBreak]

    /// The class of a scalar.
    init(_ scalar: Unicode.Scalar) {
        self = scalar.isASCII ? Self.ascii[Int(scalar.value)] : Self.byCategory(scalar)
    }

    init(rawValue: UInt16) { self.rawValue = rawValue }

    /// Prompts are mostly ASCII, and the property tables are slow next to an array.
    private static let ascii: [ScalarClass] = (0..<128).map { value in
        let scalar = Unicode.Scalar(UInt8(value))
        switch scalar {
        case " ": return [.space, .blank]
        case "\r", "\n": return [.space, .lineBreak]
        case "/": return .slash
        case "'": return .apostrophe
        default: return byCategory(scalar)
        }
    }

    private static func byCategory(_ scalar: Unicode.Scalar) -> ScalarClass {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .titlecaseLetter: [.letter, .opening]
        case .lowercaseLetter: [.letter, .closing]
        case .modifierLetter, .otherLetter: [.letter, .opening, .closing]
        case .nonspacingMark, .spacingMark, .enclosingMark: [.opening, .closing]
        case .decimalNumber, .letterNumber, .otherNumber: .number
        default: scalar.properties.isWhitespace ? .space : []
        }
    }
}

/// A text as the pre-tokenizer sees it: a class and a place for every scalar.
struct ClassifiedText {
    let bytes: [UInt8]
    private(set) var classes: [ScalarClass] = []
    /// The offset of each scalar's first byte, and the end of the text.
    private(set) var offsets: [Int] = []

    /// - Parameter bytes: Valid UTF-8.
    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        classes.reserveCapacity(bytes.count)
        offsets.reserveCapacity(bytes.count + 1)
        var iterator = UTF8Scalars(bytes)
        offsets.append(0)
        while let scalar = iterator.next() {
            classes.append(ScalarClass(scalar))
            offsets.append(iterator.position)
        }
    }
}

/// Decodes UTF-8 that is known to be valid.
struct UTF8Scalars: IteratorProtocol {
    private let bytes: [UInt8]
    /// The offset of the next scalar.
    private(set) var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func next() -> Unicode.Scalar? {
        guard position < bytes.count else { return nil }
        let lead = bytes[position]
        position += 1
        switch lead {
        case ..<0x80: return Unicode.Scalar(lead)
        case ..<0xE0: return continued(UInt32(lead & 0x1F), by: 1)
        case ..<0xF0: return continued(UInt32(lead & 0x0F), by: 2)
        default: return continued(UInt32(lead & 0x07), by: 3)
        }
    }

    private mutating func continued(_ lead: UInt32, by count: Int) -> Unicode.Scalar {
        var value = lead
        for _ in 0..<count where position < bytes.count {
            value = value << 6 | UInt32(bytes[position] & 0x3F)
            position += 1
        }
        return Unicode.Scalar(value) ?? "\u{FFFD}"
    }
}
