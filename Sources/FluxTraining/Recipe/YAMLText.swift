/// Lines of a YAML file, each with a comment.
struct YAMLText {
    private(set) var lines: [String] = []

    mutating func note(_ text: String) { lines.append(text.isEmpty ? "" : "# " + text) }

    mutating func add(_ key: String, _ value: String, _ comment: String) {
        let entry = "\(key): \(value)"
        let column = 36
        let gap = String(repeating: " ", count: max(2, column - entry.count))
        lines.append(entry + gap + "# " + comment)
    }

    mutating func add(_ key: String, list: [String], _ comment: String) {
        add(key, "", comment)
        lines += list.map { "  - " + Self.quoted($0) }
    }

    /// A text between quotes, on one line.
    static func quoted(_ text: String) -> String {
        text.unicodeScalars.reduce(into: "\"") { result, scalar in
            switch scalar {
            case "\"", "\\": result += "\\\(scalar)"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case "\u{20}"..."\u{7E}", "\u{A0}"..."\u{2027}", "\u{202A}"..."\u{D7FF}",
                "\u{E000}"..."\u{FEFE}", "\u{FF00}"..."\u{FFFD}", "\u{10000}"..."\u{10FFFF}":
                result.unicodeScalars.append(scalar)
            default:
                let digits = String(scalar.value, radix: 16, uppercase: true)
                result += "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
            }
        } + "\""
    }
}
