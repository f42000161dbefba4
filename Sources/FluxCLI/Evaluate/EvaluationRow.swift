import FluxEvaluation
import FluxTraining
import Foundation
import Imaging

/// A prompt and the image that it should give.
struct EvaluationRow: Sendable {
    /// From 1, in the file; the seed follows it.
    let number: Int
    /// The path of the expected image.
    let image: String
    let prompt: String
    /// Paths of images that the prompt is about.
    let references: [String]
    /// Whether they are resized to about a megapixel.
    let fitsReferences: Bool
    let group: String
    let color: ColorName?
    /// Where the expected image is in the pool, if it is.
    let place: Int?

    /// Reads the expected image.
    func expected() throws -> Image { try Image(contentsOf: image) }

    /// The rows of a file that are asked for.
    ///
    /// - Throws: `DataError` for a row that lacks something, or a group that there is not.
    static func all(
        in file: Metadata, among pool: [String], groups: [String], limit: Int?
    ) throws -> [EvaluationRow] {
        let places = Dictionary(
            zip(pool.map(standard), pool.indices), uniquingKeysWith: { first, _ in first })
        let rows = try file.rows.indices.map { try EvaluationRow(file, $0, places) }
        let known = Set(rows.map(\.group))
        if let group = groups.first(where: { !known.contains($0) }) {
            throw DataError(
                path: file.path,
                reason: .unexpected(
                    column: "group", expected: known.sorted().joined(separator: ", "),
                    found: "'\(group)'"))
        }
        var counts: [String: Int] = [:]
        return rows.filter { row in
            guard groups.isEmpty || groups.contains(row.group) else { return false }
            counts[row.group, default: 0] += 1
            return counts[row.group, default: 0] <= limit ?? .max
        }
    }

    private init(_ file: Metadata, _ index: Int, _ places: [String: Int]) throws {
        number = index + 1
        image = file.path(try file.text("image", inRow: index))
        prompt = try file.text("prompt", inRow: index)
        references = (file.rows[index]["edit_image"]?.paths ?? []).map(file.path)
        fitsReferences = file.rows[index]["edit_image_auto_resize"]?.flag ?? true
        group = try file.text("group", inRow: index)
        color = try file.rows[index]["color"].flatMap { value in
            try value == .missing ? nil : Self.color(file, index)
        }
        place = places[Self.standard(image)]
    }

    private static func color(_ file: Metadata, _ index: Int) throws -> ColorName {
        let text = try file.text("color", inRow: index)
        guard let name = ColorName(rawValue: text) else {
            throw DataError(
                path: file.path, row: index + 1,
                reason: .unexpected(
                    column: "color",
                    expected: ColorName.allCases.map(\.rawValue).joined(separator: ", "),
                    found: "'\(text)'"))
        }
        return name
    }

    private static func standard(_ path: String) -> String {
        URL(fileURLWithPath: path).standardizedFileURL.path
    }
}

extension Metadata {
    /// The words in a column of a row.
    ///
    /// - Throws: `DataError` where there is nothing, or something else.
    func text(_ column: String, inRow index: Int) throws -> String {
        guard let value = rows[index][column], value != .missing else {
            throw DataError(path: path, row: index + 1, reason: .missing(column: column))
        }
        guard let text = value.text else {
            throw DataError(
                path: path, row: index + 1,
                reason: .unexpected(column: column, expected: "a text", found: "something else"))
        }
        return text
    }

    /// The path of an image that is named as seen from the file's folder.
    func path(_ name: String) -> String {
        if name.hasPrefix("/") { return name }
        let folder = (path as NSString).deletingLastPathComponent
        return folder.isEmpty ? name : "\(folder)/\(name)"
    }
}
