import Domains

/// Numbers on the command line, which are looked at before the parser sees them.
enum NumericArguments {
    /// Joins a negative number to the option before it: the parser takes a word that begins with a dash
    /// for an option.
    static func joined(_ arguments: [String]) -> [String] {
        var joined: [String] = []
        for (index, word) in arguments.enumerated() {
            if joined.last == "--" { return joined + arguments[index...] }
            if let option = joined.last, isNegative(word), !option.contains("="),
                setting(of: option) != nil
            {
                joined[joined.count - 1] = "\(option)=\(word)"
            } else {
                joined.append(word)
            }
        }
        return joined
    }

    /// Refuses numbers that an option may not have.
    ///
    /// - Throws: `NumberError` naming the option.
    static func check(_ arguments: [String]) throws {
        let words = arguments.prefix { $0 != "--" }
        for (index, word) in words.enumerated() {
            guard let setting = setting(of: word) else { continue }
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let next = index + 1 < words.count && !words[index + 1].hasPrefix("-")
            guard let value = parts.count == 2 ? String(parts[1]) : next ? words[index + 1] : nil
            else { continue }
            try setting.domain.check(value, shown(String(parts[0]), of: arguments.first))
        }
    }

    /// The setting of a long option, with its value behind it or without.
    private static func setting(of word: String) -> NumericSetting? {
        guard word.hasPrefix("--") else { return nil }
        return NumericSetting(option: String(word.dropFirst(2).prefix { $0 != "=" }))
    }

    /// Whether a word is a number below 0; options are words.
    private static func isNegative(_ word: String) -> Bool {
        guard word.hasPrefix("-") else { return false }
        let first = word.dropFirst().first
        return first.map { $0.isNumber || $0 == "." } == true
            || word == "-inf" || word == "-infinity" || word == "-nan"
    }

    /// An option as its command spells it.
    private static func shown(_ option: String, of command: String?) -> String {
        command == "train" ? "--" + option.dropFirst(2).replacing("-", with: "_") : option
    }
}
