import Foundation
import Imaging

/// Rows that say which seed a teacher's image came from.
struct DistillationRows {
    private let folder: String
    private let steps: Int

    init(folder: String, steps: Int) {
        self.folder = folder
        self.steps = steps
    }

    /// What flux2 writes into its images.
    private struct Settings: Decodable {
        var prompt: String
        var seed: Int
    }

    private struct Row: Encodable {
        var image: String
        var prompt: String
        var seed: Int
        var num_inference_steps: Int
        var rand_device = "cpu"
    }

    func write() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
            .filter { $0.hasSuffix(".png") }.sorted()
        let rows = try names.map { name in
            let text = try Image.readMetadata(of: "\(folder)/\(name)")["flux2"] ?? ""
            guard let made = try? JSONDecoder().decode(Settings.self, from: Data(text.utf8)) else {
                throw RecipeError("\(folder)/\(name): does not say its prompt and seed")
            }
            return Row(
                image: name, prompt: made.prompt, seed: made.seed, num_inference_steps: steps)
        }
        guard !rows.isEmpty else { throw RecipeError("\(folder): holds no images") }
        try JSONLines.write(rows, to: folder + "/distill.jsonl")
        print("\(folder)/distill.jsonl: \(rows.count) rows")
    }
}
