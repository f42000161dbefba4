import Foundation

/// A character and what people call it.
struct EmojiName: Hashable {
    var character: Unicode.Scalar
    /// The first is the one that sheets show.
    var names: [String]

    /// Reads lines of a hexadecimal code, a blank, and names between commas.
    static func read(_ path: String) throws -> [EmojiName] {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        return try text.split(separator: "\n").enumerated().compactMap { number, line in
            guard !line.hasPrefix("#") else { return nil }
            let parts = line.split(separator: " ", maxSplits: 1)
            guard parts.count == 2, let code = UInt32(parts[0], radix: 16),
                let character = Unicode.Scalar(code)
            else {
                throw RecipeError("\(path): line \(number + 1) is no code with names: '\(line)'")
            }
            let names = parts[1].split(separator: ",").map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            return EmojiName(character: character, names: names)
        }
    }
}

/// Something that cannot be made, in one line.
struct RecipeError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
