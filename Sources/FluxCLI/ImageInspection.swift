import Flux2
import Foundation
import Imaging

/// What an image says about how it was made.
struct ImageInspection: Encodable {
    var path: String
    var component = "picture"
    var format: String
    var width: Int
    var height: Int
    /// Nil for an image that this program did not write.
    var settings: GenerationMetadata?
    /// What other programs left.
    var metadata: [String: String]

    /// - Throws: `ImagingError`.
    init(_ path: String) throws {
        self.path = path
        format = ImageFileFormat.of(path)?.title ?? ""
        (width, height) = try Image.storedSize(of: path)
        metadata = try Image.readMetadata(of: path)
        settings = try? GenerationMetadata(ofImage: path)
        if settings != nil { metadata["flux2"] = nil }
    }

    /// Lines for people: prompt, seed and size first.
    var text: String {
        let fields = settings.flatMap(Self.fields) ?? []
        var lines = [path, Self.line("component", "image, \(format) of \(width)x\(height)")]
        if fields.isEmpty { lines.append(Self.line("settings", "none of flux2")) }
        lines += fields.map { Self.line($0.name, $0.value) }
        lines += metadata.sorted { $0.key < $1.key }.map {
            Self.line("metadata", "\($0.key): \($0.value.prefix(500))")
        }
        return lines.joined(separator: "\n")
    }

    private static let first = ["prompt", "negative_prompt", "seed", "steps", "cfg_scale", "model"]

    private static func fields(_ settings: GenerationMetadata) -> [(name: String, value: String)]? {
        guard let text = try? JSON.line(settings),
            let object = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        else { return nil }
        let rest = object.keys.filter { !first.contains($0) }.sorted()
        return (first + rest).compactMap { key in
            object[key].map { (key.replacing("_", with: "-"), word($0)) }
        }
    }

    private static func word(_ value: Any) -> String {
        switch value {
        case let list as [Any]: list.map(word).joined(separator: ", ")
        case let object as [String: Any]:
            object.sorted { $0.key < $1.key }.map { "\($0.key) \(word($0.value))" }
                .joined(separator: ", ")
        default: "\(value)"
        }
    }

    /// Names may be longer than their column.
    private static func line(_ name: String, _ value: String) -> String {
        return "  " + name.padding(toLength: max(20, name.count + 1), withPad: " ", startingAt: 0)
            + ShownText.line(value)
    }
}
