import Flux2
@testable import FluxTraining
import Foundation
import TestSupport
import Testing

@Suite("A recipe follows from data, model and memory")
struct RecipeTests {
    private func recipe(
        _ count: Int, model: RecipeModel = RecipeModel(name: "klein-base-4b", .kleinBase4B),
        free: Int = 1 << 40
    ) throws -> Recipe {
        let images = try ImageFolder(count: count)
        // The folder goes with its owner.
        return try withExtendedLifetime(images) {
            Recipe(model: model, data: try DatasetSummary(folder: images.path), free: free)
        }
    }

    @Test("the rank and what is held out grow with the data")
    func ranks() throws {
        #expect(try recipe(2).rank == 8 && recipe(2).heldOut == 0)
        #expect(try recipe(9).heldOut == 0)
        let ten = try recipe(10)
        #expect(ten.heldOut == 1 && ten.batchSize * ten.accumulation == 2)
        let thirty = try recipe(30)
        #expect(thirty.rank == 16 && thirty.heldOut == 3)
        #expect(thirty.batchSize * thirty.accumulation == 4)
        #expect(thirty.interval % thirty.accumulation == 0)
    }

    @Test("blocks are recomputed where memory asks for it, and images get smaller then")
    func memoryDecides() throws {
        let large = try recipe(30)
        #expect(!large.recomputes && large.batchSize > 1)
        let scarce = try recipe(30, free: 2 << 30)
        #expect(scarce.recomputes && scarce.batchSize == 1 && scarce.accumulation == 4)
        #expect(scarce.maxPixels == 1 << 20)
        #expect(try recipe(30, free: 1 << 20).maxPixels == 1 << 18)
    }

    @Test("distilled models get a word of warning, dev a way in two stages")
    func words() throws {
        let distilled = try recipe(3, model: RecipeModel(name: "klein-4b", .klein4B))
        #expect(distilled.yaml(path: "r.yaml").contains("The base model is the better start"))
        #expect(distilled.yaml(path: "r.yaml").contains("sample_inference_steps: 4"))
        let base = try recipe(3).yaml(path: "r.yaml")
        #expect(base.contains("sample_inference_steps: 50"))
        #expect(!base.contains("distilled") && base.contains("sample_cfg_scale: 4.0"))
        #expect(!base.contains("validation_split"))
        let dev = try recipe(3, model: RecipeModel(name: "dev", .dev)).yaml(path: "r.yaml")
        #expect(dev.contains("--task sft:data_process"))
    }

    @Test("sizes, steps and guidance are what the model says suits it")
    func preset() throws {
        let folder = try TemporaryFolder()
        let path = try folder.model()
        let index = #"{"flux2": {"height": 64, "width": 96, "steps": 7, "cfg_scale": 3}}"#
        try index.write(toFile: path + "/model_index.json", atomically: true, encoding: .utf8)
        let model = try RecipeModel(name: path, files: ModelFiles(model: path))
        let images = try ImageFolder(count: 2, width: 512, height: 512)
        let data = try DatasetSummary(folder: images.path, maxPixels: model.area)
        let text = Recipe(model: model, data: data, free: 1 << 40).yaml(path: "r.yaml")
        for line in [
            "max_pixels: 6144 ", "sample_height: 64 ", "sample_width: 64 ",
            "sample_inference_steps: 7 ", "sample_cfg_scale: 3.0 ",
        ] { #expect(text.contains(line), "\(text)") }
    }

    @Test("every option has a comment on its line")
    func comments() throws {
        for line in try recipe(12).yaml(path: "r.yaml").split(separator: "\n") {
            #expect(line.contains("# ") || line == "#" || line.hasPrefix("  - "), "\(line)")
        }
    }

    @Test("texts of all kinds stand between quotes")
    func quotes() {
        #expect(YAMLText.quoted("a \"b\"\n\\ ü 🦊\u{7}") == #""a \"b\"\n\\ ü 🦊\u0007""#)
    }
}
