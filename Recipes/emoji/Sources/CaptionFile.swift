import Foundation

/// Captions in files of JSON lines.
enum CaptionFile {
    private struct Row: Decodable { var prompt: String }

    /// Words, numbers left out, and those that the encoder's format puts around a prompt.
    static func words(in path: String) throws -> [String] {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let decoder = JSONDecoder()
        let captions = try text.split(separator: "\n").map {
            try decoder.decode(Row.self, from: Foundation.Data($0.utf8)).prompt
        }
        let words = captions.flatMap { $0.split { !$0.isLetter }.map(String.init) }
        return words + captions.flatMap { _ in ["user", "assistant", "\n\n"] }
    }
}
