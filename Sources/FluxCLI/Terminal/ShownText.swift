import Foundation

/// Text as people may see it. Files, hubs and names can hold what controls a terminal or turns a line
/// round; that is spelled out, as JSON spells it.
enum ShownText {
    /// Lines and tabs stay.
    static func of(_ text: String) -> String {
        let text = ForeignPath.named(in: text)
        return escaped(text) { $0 != "\n" && $0 != "\t" && isControl($0) }
    }

    /// Text from elsewhere that is to stay on its line.
    static func line(_ text: some StringProtocol) -> String {
        escaped(String(text), where: isControl)
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0: true
        // Separators of lines, and what changes the direction of all that follows.
        case 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    private static func escaped(
        _ text: String, where isMeant: (Unicode.Scalar) -> Bool
    ) -> String {
        guard text.unicodeScalars.contains(where: isMeant) else { return text }
        var shown = ""
        for scalar in text.unicodeScalars {
            if isMeant(scalar) {
                shown += String(format: "\\u%04x", scalar.value)
            } else {
                shown.unicodeScalars.append(scalar)
            }
        }
        return shown
    }
}

/// Prints a result. Whatever is printed goes this way, so that nothing controls the terminal.
func print(_ text: String, terminator: String = "\n") {
    Swift.print(ShownText.of(text), terminator: terminator)
}
