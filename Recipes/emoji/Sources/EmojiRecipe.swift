import ArgumentParser
import Foundation
import Imaging

/// Makes what the emoji model is trained on.
@main
struct EmojiRecipe: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "emoji-recipe",
        abstract: "Make the data of the emoji model from a font of colour bitmaps.",
        subcommands: [Drawing.self, Tokens.self, Distillation.self, Style.self])
}

extension EmojiRecipe {
    struct Drawing: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "data", abstract: "Draw pictures and write their captions.")

        @Option(help: "The font.")
        var font = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"

        @Option(help: "A file of characters and their names.")
        var names = "Recipes/emoji/names.txt"

        @Option(help: "Characters that only the full fine-tuning learns.")
        var newNames = "Recipes/emoji/new-names.txt"

        @Option(help: "Take so many names only.")
        var count: Int?

        @Option(name: .shortAndLong, help: "The folder to write.")
        var output: String

        func run() throws {
            let font = try BitmapFont(path: font)
            func drawn(_ path: String) throws -> [Emoji] {
                try EmojiName.read(path).prefix(count ?? .max).map {
                    Emoji(name: $0, glyph: try font.glyph($0.character))
                }
            }
            try DataSets(drawn(names), new: drawn(newNames)).write(to: output)
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

    struct Distillation: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write rows for distillation from pictures that flux2 generate has made.")

        @Argument(help: "The folder of pictures, which carry their settings.")
        var folder: String

        @Option(help: "Steps that the student shall make.")
        var steps = 4

        func run() throws { try DistillationRows(folder: folder, steps: steps).write() }
    }

    struct Style: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say how much of the recipe's styles pictures have.")

        @Argument(help: "Pictures.")
        var pictures: [String]

        func run() throws {
            let images = try pictures.map { try Image(contentsOf: $0) }
            func mean(_ figure: (Image) -> Double) -> String {
                String(
                    format: "%.3f", images.map(figure).reduce(0, +) / Double(max(1, images.count)))
            }
            print(
                "\(images.count) pictures: blockiness \(mean(StyleFigure.blockiness)), "
                    + "colour \(mean(StyleFigure.colour))")
        }
    }
}
