import ArgumentParser

/// Makes what the emoji model is trained on.
@main
struct EmojiRecipe: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "emoji-recipe",
        abstract: "Make the data of the emoji model from a font of colour bitmaps.",
        subcommands: [Data.self, Tokens.self])
}

extension EmojiRecipe {
    struct Data: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Draw pictures and write their captions.")

        @Option(help: "The font.")
        var font = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"

        @Option(help: "A file of characters and their names.")
        var names = "Recipes/emoji/names.txt"

        @Option(help: "Take so many names only.")
        var count: Int?

        @Option(name: .shortAndLong, help: "The folder to write.")
        var output: String

        func run() throws {
            let names = try EmojiName.read(names).prefix(count ?? .max)
            let font = try BitmapFont(path: font)
            let emoji = try names.map { Emoji(name: $0, glyph: try font.glyph($0.character)) }
            try DataSets(emoji).write(to: output)
        }
    }

    struct Tokens: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Learn a byte-pair vocabulary in which every word of the captions is one token.")

        @Option(help: "Files of rows with captions.")
        var captions: [String]

        @Option(name: .shortAndLong, help: "The tokenizer's folder to write.")
        var output: String

        func run() throws {
            let words = try captions.flatMap { try CaptionFile.words(in: $0) }
            try TokenizerWriter(BytePairTraining(words: words)).write(to: output)
        }
    }
}
