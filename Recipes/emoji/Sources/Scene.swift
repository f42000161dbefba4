import FluxEvaluation
import Imaging

/// A character with its image.
struct Emoji {
    let name: EmojiName
    let glyph: Glyph
    /// Whether it can be painted in another color and be seen to have it.
    let takesColor: Bool

    init(name: EmojiName, glyph: Glyph) {
        self.name = name
        self.glyph = glyph
        takesColor = glyph.colorfulness > 0.5
    }
}

/// What an image shows: emoji in a layout, on a background.
struct Scene: Hashable {
    /// Where emoji stand, and how large.
    enum Layout: Hashable {
        case single, small, left, right, two, three, beside
    }

    /// Numbers of emoji; two for ``Layout/beside``.
    var emoji: [Int]
    var layout = Layout.single
    var color: Palette?
    /// Nil is white.
    var background: Palette?

    static let side = 128

    /// Middle and width of each emoji.
    private var places: [(x: Int, y: Int, width: Int)] {
        switch layout {
        case .single: [(64, 64, 120)]
        case .small: [(64, 64, 64)]
        case .left: [(36, 64, 68)]
        case .right: [(92, 64, 68)]
        case .two, .beside: [(33, 64, 62), (95, 64, 62)]
        case .three: [(64, 34, 60), (33, 92, 60), (95, 92, 60)]
        }
    }

    func image(_ all: [Emoji]) -> Image {
        let paint = background?.paint ?? (red: 255, green: 255, blue: 255)
        var canvas = Image(
            width: Self.side, height: Self.side, red: paint.red, green: paint.green,
            blue: paint.blue)
        for (number, place) in places.enumerated() {
            var glyph = all[emoji[min(number, emoji.count - 1)]].glyph
            if let color { glyph = glyph.painted(color) }
            glyph.resized(width: place.width).draw(on: &canvas, x: place.x, y: place.y)
        }
        return canvas
    }

    /// The caption.
    ///
    /// - Parameter synonym: which of the names to take, for the first emoji.
    func caption(_ all: [Emoji], synonym: Int = 0) -> String {
        let names = emoji.enumerated().map { place, number in
            let known = all[number].name.names
            return known[place == 0 ? synonym % known.count : 0]
        }
        let painted = (color.map { $0.rawValue + " " } ?? "")
        let subject =
            switch layout {
            case .single: painted + names[0]
            case .small: "small " + painted + names[0]
            case .left: painted + names[0] + " on the left"
            case .right: painted + names[0] + " on the right"
            case .two: "two " + painted + Plural.of(names[0])
            case .three: "three " + painted + Plural.of(names[0])
            case .beside: names[0] + " and " + names[1]
            }
        return subject + (background.map { " on " + $0.rawValue } ?? "")
    }
}

/// English plurals, as far as the names need them.
enum Plural {
    private static let odd = ["mouse": "mice", "die": "dice", "leaf": "leaves", "fish": "fish"]

    static func of(_ name: String) -> String {
        var words = name.split(separator: " ").map(String.init)
        // "meat on a bone" has its noun in front.
        let noun =
            words.firstIndex { ["on", "of", "with", "in", "behind"].contains($0) } ?? words.count
        words[noun - 1] = plural(words[noun - 1])
        return words.joined(separator: " ")
    }

    private static func plural(_ word: String) -> String {
        if let known = odd[word] { return known }
        if word.hasSuffix("s") || word.hasSuffix("x") || word.hasSuffix("ch")
            || word.hasSuffix("sh")
        {
            return word.hasSuffix("s") && !word.hasSuffix("ss") ? word : word + "es"
        }
        let vowels = "aeiou"
        if word.hasSuffix("y"), let before = word.dropLast().last, !vowels.contains(before) {
            return word.dropLast() + "ies"
        }
        return word + "s"
    }
}
