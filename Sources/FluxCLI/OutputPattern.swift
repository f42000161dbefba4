import ArgumentParser
import Flux2
import Foundation

/// A path in which fields such as `{seed}` stand for those of an image; `{{` and `}}` are braces.
struct OutputPattern {
    private enum Piece {
        case text(String)
        case field(String)
    }

    /// The fields that may be named.
    static let fields = ["prompt", "seed", "index", "width", "height", "steps", "model"]

    private let pieces: [Piece]

    /// - Throws: `ValidationError` for a field that there is not, and for half a brace.
    init(_ text: String) throws {
        var pieces: [Piece] = []
        var rest = Substring(text)
        while let brace = rest.firstIndex(where: { $0 == "{" || $0 == "}" }) {
            pieces.append(.text(String(rest[..<brace])))
            let behind = rest[rest.index(after: brace)...]
            if behind.first == rest[brace] {
                pieces.append(.text(String(rest[brace])))
                rest = behind.dropFirst()
                continue
            }
            guard rest[brace] == "{", let end = behind.firstIndex(of: "}"),
                Self.fields.contains(String(behind[..<end]))
            else { throw ValidationError(Self.refusal(of: text, behind)) }
            pieces.append(.field(String(behind[..<end])))
            rest = behind[behind.index(after: end)...]
        }
        self.pieces = pieces + [.text(String(rest))]
    }

    private static func refusal(of text: String, _ behind: Substring) -> String {
        let name = behind.prefix { $0 != "}" }
        let end = name.endIndex == behind.endIndex ? "" : "}"
        return "'\(text)': '{\(name)\(end)' is no field; known are "
            + fields.map { "{\($0)}" }.joined(separator: ", ") + ", and {{ for a brace"
    }

    /// Whether the path is another one for each image.
    var hasFields: Bool {
        pieces.contains { if case .field = $0 { true } else { false } }
    }

    /// The path of an image.
    func path(_ values: [String: String]) -> String {
        pieces.map { piece in
            switch piece {
            case .text(let text): text
            case .field(let name): values[name] ?? ""
            }
        }.joined()
    }

    /// What the fields of an image are.
    ///
    /// - Parameters:
    ///   - index: of the image among `count`, from 1.
    ///   - model: as it was named.
    static func values(
        _ request: GenerationRequest, index: Int, of count: Int, model: String
    ) -> [String: String] {
        let (number, digits) = (String(index), max(3, String(count).count))
        let size = request.roundedSize
        return [
            "prompt": fileName(request.prompt), "seed": "\(request.seed)",
            "index": String(repeating: "0", count: max(0, digits - number.count)) + number,
            "width": "\(size.width)", "height": "\(size.height)", "steps": "\(request.steps)",
            "model": fileName(URL(fileURLWithPath: model).lastPathComponent),
        ]
    }

    /// A text as part of a file's name: letters and digits of any script, and single dashes.
    static func fileName(_ text: String) -> String {
        var name = ""
        for character in text.precomposedStringWithCanonicalMapping {
            if character.isLetter || character.isNumber {
                name.append(character)
            } else if !name.isEmpty, name.last != "-" {
                name.append("-")
            }
            // Names have at most 255 bytes, and others stand beside this one.
            if name.utf8.count > 96 { break }
        }
        while name.last == "-" || name.utf8.count > 100 { name.removeLast() }
        return name.isEmpty ? "untitled" : name
    }
}

extension String {
    /// `folder/name.png` as `folder/name-mark.png`.
    func marked(_ mark: String) -> String {
        let path = self as NSString
        let stem = "\(path.deletingPathExtension)-\(mark)"
        return path.pathExtension.isEmpty ? stem : "\(stem).\(path.pathExtension)"
    }
}
