import FileSupport
import FluxEvaluation
import Foundation
import Imaging

/// The images and captions of all trainings.
struct DataSets {
    private let emoji: [Emoji]
    /// Those that only the full fine-tuning sees.
    private let new: [Emoji]
    private let scenes: Scenes
    /// Rows of each emoji by itself, for one row of every other scene.
    private static let plainRows = 8
    /// One in so many rows has no caption, which guidance needs.
    private static let emptyEvery = 10

    init(_ emoji: [Emoji], new: [Emoji]) {
        self.emoji = emoji
        self.new = new
        scenes = Scenes(emoji)
    }

    /// A row of a metadata file.
    struct Row: Encodable {
        var image: String
        var prompt: String
        var group: String?
        var color: String?
        var edit_image: String?
        var edit_image_auto_resize: Bool?
    }

    func write(to folder: String) throws {
        try Folder.make(folder + "/pictures")
        for (number, scene) in scenes.plain.enumerated() {
            try scene.image(emoji).write(to: "\(folder)/\(plainPath(number))", overwrite: true)
        }
        for (number, scene) in scenes.varied.enumerated() {
            try scene.image(emoji).write(
                to: "\(folder)/\(path("varied", number))", overwrite: true)
        }
        for (number, scene) in scenes.further.enumerated() {
            try scene.image(emoji).write(
                to: "\(folder)/\(path("further", number))", overwrite: true)
        }
        for (number, scene) in scenes.heldOut.enumerated() {
            try scene.image(emoji).write(to: "\(folder)/\(path("held", number))", overwrite: true)
        }
        try StyleSets(emoji, new: new, folder: folder).write()
        let rows = trainingRows()
        try JSONLines.write(rows, to: folder + "/train.jsonl")
        try JSONLines.write(rows + furtherRows(), to: folder + "/further.jsonl")
        try JSONLines.write(plainRows(), to: folder + "/names.jsonl")
        try JSONLines.write(evaluationRows(), to: folder + "/evaluate.jsonl")
        let captions = scenes.heldOut.map { $0.caption(emoji) + "\n" }.joined()
        try AtomicFile.write(folder + "/heldout.txt", bytes: Array(captions.utf8))
        print(
            "\(folder): \(emoji.count) emoji, \(emoji.count(where: \.takesColor)) of which take a "
                + "colour; \(scenes.varied.count) variations and \(scenes.further.count) further ones, \(scenes.heldOut.count) held out"
        )
    }

    private func plainPath(_ number: Int) -> String { path("plain", number) }
    private func path(_ kind: String, _ number: Int) -> String { "pictures/\(kind)-\(number).png" }

    /// Every emoji under its first name: what generated images are compared with.
    private func plainRows() -> [Row] {
        scenes.plain.enumerated().map { number, scene in
            Row(image: plainPath(number), prompt: scene.caption(emoji))
        }
    }

    private func trainingRows() -> [Row] {
        var chance = Chance(seed: 7)
        var rows: [Row] = []
        func add(_ image: String, _ caption: String) {
            let isEmpty = rows.count % Self.emptyEvery == Self.emptyEvery - 1
            if isEmpty { rows.append(Row(image: image, prompt: "")) }
            rows.append(Row(image: image, prompt: Self.varied(caption, &chance)))
        }
        for (number, scene) in scenes.plain.enumerated() {
            for synonym in 0..<Self.plainRows {
                add(plainPath(number), scene.caption(emoji, synonym: synonym))
            }
        }
        for (number, scene) in scenes.varied.enumerated() {
            add(path("varied", number), scene.caption(emoji, synonym: number % 3))
        }
        return rows
    }

    private func furtherRows() -> [Row] {
        var chance = Chance(seed: 9)
        return scenes.further.enumerated().map { number, scene in
            let caption = scene.caption(emoji, synonym: number % 3)
            return Row(
                image: path("further", number), prompt: Self.varied(caption, &chance))
        }
    }

    /// As people write: some with an article, some with a capital.
    private static func varied(_ caption: String, _ chance: inout Chance) -> String {
        var text = caption
        let isCounted = text.hasPrefix("two ") || text.hasPrefix("three ")
        if !isCounted, Int.random(in: 0..<4, using: &chance) == 0 {
            text = ("aeiou".contains(text.prefix(1)) ? "an " : "a ") + text
        }
        if Int.random(in: 0..<8, using: &chance) == 0 {
            text = text.prefix(1).uppercased() + text.dropFirst()
        }
        return text
    }

    /// Names as they were trained, and combinations that were not.
    private func evaluationRows() -> [Row] {
        let names = scenes.plain.enumerated().map { number, scene in
            Row(image: plainPath(number), prompt: scene.caption(emoji), group: "name")
        }
        let others = scenes.heldOut.enumerated().map { number, scene in
            Row(
                image: path("held", number), prompt: scene.caption(emoji),
                group: "\(scene.kind)", color: scene.color?.rawValue)
        }
        return names + others
    }
}

/// Files of rows.
enum JSONLines {
    static func write(_ rows: [some Encodable], to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let lines = try rows.map { String(decoding: try encoder.encode($0), as: UTF8.self) + "\n" }
        try AtomicFile.write(path, bytes: Array(lines.joined().utf8))
    }
}

extension Scene {
    /// What is told apart when images are judged.
    var kind: String {
        switch layout {
        case .single: color != nil ? "color" : "background"
        case .small, .left, .right: "place"
        case .two, .three: "count"
        case .beside: "pair"
        }
    }
}
