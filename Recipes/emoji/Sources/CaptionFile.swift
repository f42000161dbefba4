import Foundation

/// Captions in files of JSON lines.
enum CaptionFile {
    private struct Row: Decodable { var prompt: String }

    /// The captions of all rows.
    static func captions(in path: String) throws -> [String] {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let decoder = JSONDecoder()
        return try text.split(separator: "\n").map {
            try decoder.decode(Row.self, from: Data($0.utf8)).prompt
        }
    }

    /// Words, numbers left out, and those that the encoder's format puts around a prompt.
    static func words(in path: String) throws -> [String] {
        let captions = try captions(in: path)
        let words = captions.flatMap { $0.split { !$0.isLetter }.map(String.init) }
        return words + captions.flatMap { _ in ["user", "assistant", "\n\n"] }
    }
}
