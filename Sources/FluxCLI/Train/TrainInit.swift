import ArgumentParser
import FileSupport
import Flux2
import FluxTraining
import Foundation
import Torch

struct TrainInit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", _superCommandName: "flux2 train",
        abstract: "Write a commented recipe for a LoRA of a folder of images.",
        usage: """
            flux2 train init <model> <folder> [<options>]
            flux2 train init -m <model> <folder> [<options>]
            """,
        discussion: """
            Images have captions in .txt files beside them, or rows in metadata.csv, .json or .jsonl. \
            No weight is read, and nothing is downloaded.

            Example:
              flux2 train init klein-base-4b photos -o photos.yaml
            """,
        version: Version.current)

    @Argument(
        help: .init(
            "Model: a folder, or a name such as klein-base-4b.", valueName: "model"),
        completion: .directory)
    var base: String?

    @Argument(
        help: .init("Folder of images.", valueName: "folder"), completion: .directory)
    var data: String?

    @Option(
        name: [.customShort("m"), .customLong("model")], help: "The same as <model>.",
        completion: .directory)
    var named: String?

    @Option(name: .shortAndLong, help: "Recipe to write, .yaml.", completion: .file())
    var output = "recipe.yaml"

    @Flag(help: "Replace a file that exists.")
    var force = false

    @OptionGroup var result: ResultOptions

    /// The object that `--json` prints.
    private struct Summary: Encodable {
        var output: String
        var model: String
        var folder: String
        var samples: Int
    }

    func validate() throws { _ = try places() }

    private func places() throws -> (model: String, folder: String) {
        let found = try Positions.values(
            of: [.init(name: "model", named: named), .init(name: "folder")], words: [base, data])
        return (found[0], found[1])
    }

    func run() async throws {
        let (name, folder) = try places()
        guard ["yaml", "yml"].contains((output as NSString).pathExtension.lowercased()) else {
            throw ValidationError("--output must name a .yaml file, not '\(output)'")
        }
        try AtomicFile.checkWritable(output, overwrite: force)
        let model = try Self.lookedAt(name)
        let data = try DatasetSummary(folder: folder, maxPixels: model.area)
        let report = result.report
        data.remarks.forEach(report.warn)
        let device = Device.automatic().device
        let recipe = Recipe(
            model: model, data: data, free: try device.memory().free,
            dtype: DTypeChoice.auto.resolved(on: device).0)
        try AtomicFile.write(
            output, bytes: Array(recipe.yaml(path: output).utf8), overwrite: force)
        try result.tell(
            Summary(
                output: output, model: name, folder: folder, samples: data.captions.count), report,
            ["\(output): flux2 train --config \(output) --dry-run tells memory and time"])
    }

    private static func lookedAt(_ model: String) throws -> RecipeModel {
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
