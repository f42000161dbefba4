import ArgumentParser
import Foundation
import Imaging

/// Makes what the emoji model is trained on.
@main
struct EmojiRecipe: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "emoji-recipe",
        abstract: "Make the data of the emoji model from a font of colour bitmaps.",
        subcommands: [
            Drawing.self, Tokens.self, Prompts.self, Distillation.self, Style.self, Mask.self,
            Compare.self, Sheet.self,
        ])
}

extension EmojiRecipe {
    struct Drawing: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "data", abstract: "Draw images and write their captions.")

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

    struct Prompts: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Print different captions of a file of rows, in an order that is always the same.")

        @Argument(help: "A file of rows.")
        var rows: String

        @Option(help: "How many.")
        var count: Int?

        func run() throws {
            var chance = Chance(seed: 8)
            let captions = Set(try CaptionFile.captions(in: rows)).subtracting([""])
            for caption in captions.sorted().shuffled(using: &chance).prefix(count ?? .max) {
                print(caption)
            }
        }
    }

    struct Distillation: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write rows for distillation from images that flux2 generate has made.")

        @Argument(help: "The folder of images, which carry their settings.")
        var folder: String

        @Option(help: "Steps that the student shall make.")
        var steps = 4

        func run() throws { try DistillationRows(folder: folder, steps: steps).write() }
    }

    struct Style: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say how much of the recipe's styles images have.")

        @Argument(help: "Images.")
        var images: [String]

        func run() throws {
            let images = try images.map { try Image(contentsOf: $0) }
            func mean(_ figure: (Image) -> Double) -> String {
                String(
                    format: "%.3f", images.map(figure).reduce(0, +) / Double(max(1, images.count)))
            }
            print(
                "\(images.count) images: blockiness \(mean(StyleFigure.blockiness)), "
                    + "colour \(mean(StyleFigure.color))")
        }
    }

    struct Mask: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Draw a mask whose right half is to be painted.")

        @Option(name: .shortAndLong, help: "The file to write.")
        var output: String

        func run() throws {
            let side = Scene.side
            let pixels = (0..<3 * side * side).map { UInt8($0 / 3 % side >= side / 2 ? 255 : 0) }
            try Image(width: side, height: side, pixels: pixels).write(to: output, overwrite: true)
        }
    }

    struct Compare: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say how much two images differ inside and outside of a mask.")

        @Argument(help: "The first image.")
        var first: String

        @Argument(help: "The second image.")
        var second: String

        @Option(help: "The mask, white inside.")
        var mask: String

        func run() throws {
            let (a, b) = try (Image(contentsOf: first), Image(contentsOf: second))
            let mask = try Image(contentsOf: mask)
            guard a.pixels.count == b.pixels.count, a.pixels.count == mask.pixels.count else {
                throw RecipeError("\(first), \(second) and \(self.mask) differ in size")
            }
            func mean(inside: Bool) -> Double {
                let places = mask.pixels.indices.filter { (mask.pixels[$0] > 127) == inside }
                let sum = places.reduce(0) { $0 + abs(Int(a.pixels[$1]) - Int(b.pixels[$1])) }
                return Double(sum) / Double(max(1, places.count))
            }
            print(
                String(
                    format: "mean difference of a value of 255: inside %.1f, outside %.1f",
                    mean(inside: true), mean(inside: false)))
        }
    }

    struct Sheet: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put images side by side, row by row.")

        @Argument(help: "Images.")
        var images: [String]

        @Option(help: "Images in a row.")
        var columns: Int?

        @Option(name: .shortAndLong, help: "The file to write.")
        var output: String

        func run() throws {
            let sheet = try Image.contactSheet(
                images.map { try Image(contentsOf: $0) }, columns: columns, gap: 4)
            try sheet.write(
                to: output, quality: output.hasSuffix(".png") ? nil : 92, overwrite: true)
        }
    }
}
