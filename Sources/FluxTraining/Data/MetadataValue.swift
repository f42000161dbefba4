internal import FileSupport

/// What stands in one column of one row of a metadata file.
public enum MetadataValue: Hashable, Sendable {
    /// Words; all that a CSV file holds.
    case text(String)
    /// A number of a JSON file.
    case number(Double)
    /// `true` or `false` of a JSON file.
    case flag(Bool)
    /// Several values, of a JSON file.
    case list([MetadataValue])
    /// Names with values, of a JSON file; no column takes such.
    case object
    /// An empty cell, or `null`.
    case missing

    init(_ json: JSONValue) {
        switch json {
        case .null: self = .missing
        case .object: self = .object
        case .boolean(let flag): self = .flag(flag)
        case .number(let number): self = .number(number)
        case .string(let text): self = .text(text)
        case .array(let items): self = .list(items.map(MetadataValue.init))
        }
    }

    /// The words, where it is such.
    public var text: String? {
        if case .text(let text) = self { return text }
        return nil
    }

    /// The number, also one written in words.
    public var number: Double? {
        switch self {
        case .number(let number): number
        case .text(let text): Double(text.trimming(while: \.isWhitespace))
        default: nil
        }
    }

    /// The whole number, also one written in words.
    public var integer: Int? { number.flatMap { Int(exactly: $0) } }

    /// Yes or no, also in words, as Python and JSON write them.
    public var flag: Bool? {
        switch self {
        case .flag(let flag): flag
        case .text("true"), .text("True"): true
        case .text("false"), .text("False"): false
        default: nil
        }
    }

    /// The paths that it names: one, or several; nil where something else is in it.
    public var paths: [String]? {
        switch self {
        case .text(let path): [path]
        case .list(let items):
            items.allSatisfy { $0.text != nil } ? items.compactMap(\.text) : nil
        default: nil
        }
    }

    /// The value for error messages.
    var shown: String {
        switch self {
        case .text(let text): "'\(text.prefix(60))'"
        case .number(let number): "\(number)"
        case .flag(let flag): "\(flag)"
        case .list(let items): "a list of \(items.count)"
        case .object: "an object"
        case .missing: "nothing"
        }
    }

    /// All of the value, to tell rows apart.
    var identity: String {
        switch self {
        case .text(let text): "'\(text)'"
        case .list(let items): "[\(items.map(\.identity).joined(separator: "\u{1F}"))]"
        default: shown
        }
    }
}

extension String {
    /// Without such characters at both ends.
    func trimming(while isSpare: (Character) -> Bool) -> String {
        String(drop(while: isSpare).reversed().drop(while: isSpare).reversed())
    }
}

/// One row of a metadata file by column.
public typealias MetadataRow = [String: MetadataValue]
