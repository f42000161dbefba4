import ArgumentParser
import Files
import Flux2
import FluxTraining
import Foundation
import Torch

struct TrainInit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", _superCommandName: "flux2 train",
        abstract: "Write a commented recipe for training a LoRA on a folder of pictures.",
        discussion: """
            Pictures have captions in .txt files beside them, or rows in metadata.csv, .json or .jsonl. \
            No weight is read, and nothing is fetched.
            """,
        version: Version.current)

    @Argument(help: "A model: a folder, or a name such as klein-base-4b.", completion: .directory)
    var model: String

    @Argument(help: "The folder of pictures.", completion: .directory)
    var folder: String

    @Option(name: .shortAndLong, help: "Where the recipe goes.", completion: .file())
    var output = "recipe.yaml"

    @Flag(help: "Replace a file that exists.")
    var force = false

    func run() async throws {
        guard ["yaml", "yml"].contains((output as NSString).pathExtension.lowercased()) else {
            throw ValidationError("--output must name a .yaml file, not '\(output)'")
        }
        try AtomicFile.checkWritable(output, overwrite: force)
        let model = try lookedAt()
        let data = try DataSurvey(folder: folder, maxPixels: model.area)
        let report = Reporter(quiet: false)
        data.remarks.forEach(report.warn)
        let device = Device.automatic().device
        let recipe = Recipe(
            model: model, data: data, free: try device.memory().free,
            dtype: Precision.auto.resolved(on: device).0)
        try AtomicFile.write(
            output, bytes: Array(recipe.yaml(path: output).utf8), overwrite: force)
        print("\(output): flux2 train --config \(output) --dry-run tells memory and time")
    }

    private func lookedAt() throws -> RecipeModel {
        do {
            return try RecipeModel(name: model, files: ModelFiles(model: model))
        } catch {
            guard !FileManager.default.fileExists(atPath: model),
                let variant = Variant(named: model)
            else { throw error }
            return RecipeModel(name: model, variant)
        }
    }
}
