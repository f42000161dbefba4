internal import FileSupport
internal import Foundation

/// On which side short prompts are filled up.
public enum PaddingSide: String, Hashable, Sendable, CaseIterable {
    /// Before the text, or behind it.
    case left, right
}

/// What is read of `tokenizer_config.json`.
struct TokenizerSettings: Hashable, Sendable {
    private(set) var paddingSide: PaddingSide?

    /// - Throws: `TokenizationError` when the file is there and cannot be understood.
    init(folder: String) throws {
        let path = folder + "/tokenizer_config.json"
        guard FileManager.default.fileExists(atPath: path) else { return }
        guard let data = WholeFile.contents(path) else {
            throw TokenizationError(.unreadable(cause: "is no file that can be read"), file: path)
        }
        let side: JSONValue
        do {
            var reader = JSONReader(Array(data))
            side = try reader.document()["padding_side"]
        } catch let error as JSONError {
            throw TokenizationError(.malformedJSON(error.description), file: path)
        }
        guard side != .null else { return }
        paddingSide = side.string.flatMap(PaddingSide.init(rawValue:))
        guard paddingSide != nil else {
            throw TokenizationError(
                .unexpected(key: "padding_side", expected: "left or right", found: side.summary),
                file: path)
        }
    }
}
