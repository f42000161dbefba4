import ArgumentParser
import Flux2
import FluxModels
import FluxTraining
import Foundation
import ModelHub

/// Which models training starts from.
struct TrainModelOptions: ParsableArguments {
    @Option(help: "JSON list of files or folders; an inner list holds the shards of one model.")
    var modelPaths: String?

    @Option(help: "Models as owner/name:pattern, between commas.")
    var modelIdWithOriginPaths: String?

    @Option(
        name: .shortAndLong,
        help: "Model with all components: a folder, or a name such as klein-base-4b.",
        completion: .directory)
    var model: String?

    @Option(
        help: "Tokenizer: a folder, or owner/name:pattern. Default: the text encoder's.",
        completion: .directory)
    var tokenizerPath: String?

    @Option(help: "Models to quantize to float8 without scales, named as above.")
    var fp8Models: String?

    @Option(
        help: """
            Quantization of frozen matrices to int8 or fp8: model:method/layers;…, or a JSON object.
            """)
    var quantOptions: String?

    @Option(help: "Models to read only when they are used, named as above.")
    var offloadModels: String?

    @Option(help: "Full checkpoint to start from.", completion: .file())
    var resumeFromCheckpoint: String?

    @OptionGroup var hub: HubOptions

    /// Finds the files; what is not on this machine is fetched, and said to be.
    ///
    /// - Parameter fetches: whether anything is; else shapes of published models stand for their files.
    func files(
        _ report: Reporter, textLength: Int?, fetches: Bool
    ) async throws -> TrainingFiles {
        var entries =
            try (modelPaths.map(ModelEntry.paths(json:)) ?? [])
            + (modelIdWithOriginPaths.map(ModelEntry.repositories) ?? [])
        guard !entries.isEmpty || model != nil else {
            throw ValidationError(
                "no model: give --model_paths, --model_id_with_origin_paths, or --model")
        }
        let float8 = NameList.read(fp8Models ?? "")
        try entries.keep(
            float8: float8, quantized: quantOptions.map(QuantizationOption.read) ?? [])
        for text in NameList.read(offloadModels ?? "")
        where !entries.contains(where: { $0.text == text }) {
            throw ValidationError("--offload_models: '\(text)' is none of the models given")
        }
        let tokenizer = tokenizerPath.map(ModelEntry.tokenizer)
        var files = try await resolved(entries, tokenizer, report, fetches: fetches)
        if let textLength { files.textLength = textLength }
        return files
    }

    private func resolved(
        _ entries: [ModelEntry], _ tokenizer: ModelConfig?, _ report: Reporter, fetches: Bool
    ) async throws -> TrainingFiles {
        var found = try hub.settings()
        if !fetches { found.offlineBecause = found.offlineBecause ?? "--dry-run" }
        let settings = found
        let whole = try await wholeModel(report, fetches: fetches)
        let progress = DownloadProgress(report)
        return try await cancellingOnInterrupt {
            defer { progress.finish() }
            var files = try await TrainingFiles(entries, tokenizer: tokenizer, settings) {
                progress.show($0)
            }
            if let whole { files.complete(from: whole) }
            return files
        }
    }

    private func wholeModel(_ report: Reporter, fetches: Bool) async throws -> TrainingFiles? {
        guard let model else { return nil }
        var options = ModelOptions(model: model, parts: try .parse([]))
        options.parts.hub = hub
        return TrainingFiles(try await options.files(report, fetches: fetches))
    }
}

extension TrainingFiles {
    /// Takes components that are missing from a whole model.
    fileprivate mutating func complete(from whole: TrainingFiles) {
        if weights[.transformer] == nil { distillation = whole.distillation }
        absent = whole.absent.filter { weights[$0.key] == nil }
        weights.merge(whole.weights) { own, _ in own }
        referenceArea = whole.referenceArea
        tokenizer = tokenizer ?? whole.tokenizer
        textLength = whole.textLength
    }
}
