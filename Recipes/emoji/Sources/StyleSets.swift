import FileSupport
import FluxEvaluation
import Imaging

/// Small data sets for what one does to a model that is there: styles, edits, new characters.
struct StyleSets {
    private let emoji: [Emoji]
    private let new: [Emoji]
    private let folder: String
    /// Characters of a style's data set, at even distances.
    private static let styleCount = 20
    /// One in so many characters is never edited in training.
    private static let heldOutEvery = 8

    init(_ emoji: [Emoji], new: [Emoji], folder: String) {
        self.emoji = emoji
        self.new = new
        self.folder = folder
    }

    func write() throws {
        try Folder.make(folder + "/styles")
        try Folder.make(folder + "/edits")
        try writeStyles()
        try writeEdits()
        try writeNew()
    }

    private func path(_ kind: String, _ number: Int) -> String { "styles/\(kind)-\(number).png" }

    /// Pixel art under a word of its own; gray images, and the same in color, under plain names.
    private func writeStyles() throws {
        let distance = max(1, emoji.count / Self.styleCount)
        let chosen = stride(from: 0, to: emoji.count, by: distance).prefix(Self.styleCount)
        var rows: [String: [DataSets.Row]] = [:]
        for number in chosen {
            let scene = Scene(emoji: [number])
            let (image, name) = (scene.image(emoji), scene.caption(emoji))
            for (kind, image, caption) in [
                ("pixels", Treatment.pixelArt(image), "pixel art " + name), ("colour", image, name),
                ("grey", Treatment.gray(image), name),
            ] {
                try image.write(to: "\(folder)/\(path(kind, number))", overwrite: true)
                rows[kind, default: []].append(.init(image: path(kind, number), prompt: caption))
            }
        }
        for (kind, rows) in rows { try JSONLines.write(rows, to: "\(folder)/\(kind).jsonl") }
    }

    /// Images before and after painting, with what was asked for.
    private func writeEdits() throws {
        var (rows, heldOut): ([DataSets.Row], [DataSets.Row]) = ([], [])
        let paintable = emoji.indices.filter { emoji[$0].takesColor }
        for (place, number) in paintable.enumerated() {
            for color in Palette.allCases {
                var scene = Scene(emoji: [number])
                scene.color = color
                let path = "edits/\(number)-\(color.rawValue).png"
                try scene.image(emoji).write(to: "\(folder)/\(path)", overwrite: true)
                let row = DataSets.Row(
                    image: path, prompt: "make it \(color.rawValue)", group: "edit",
                    color: color.rawValue, edit_image: "pictures/plain-\(number).png",
                    edit_image_auto_resize: false)
                if place % Self.heldOutEvery == 0 { heldOut.append(row) } else { rows.append(row) }
            }
        }
        try JSONLines.write(rows, to: folder + "/edits.jsonl")
        try JSONLines.write(heldOut, to: folder + "/edits-held.jsonl")
    }

    private func writeNew() throws {
        var rows: [DataSets.Row] = []
        for number in new.indices {
            let scene = Scene(emoji: [number])
            try scene.image(new).write(to: "\(folder)/\(path("new", number))", overwrite: true)
            rows.append(
                .init(image: path("new", number), prompt: scene.caption(new), group: "name"))
        }
        try JSONLines.write(rows, to: folder + "/new.jsonl")
    }
}
