import ArgumentParser
import Flux2
import Torch

struct Evaluate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure how well images match their prompts.",
        discussion: """
            Makes an image for each row and compares it with the expected one. Rows have image, \
            prompt, group and, where it is to be judged, color. Without --height and --width, images \
            are as large as those that they are compared with.
            """)

    @OptionGroup(title: "Evaluation") var evaluation: EvaluationOptions
    @OptionGroup(title: "Basics") var name: ModelName
    @OptionGroup var image: ImageOptions
    @OptionGroup(title: "LoRA") var lora: LoRAOptions
    @OptionGroup(title: "Model parts") var parts: ModelParts
    @OptionGroup var engine: EngineOptions

    private var model: ModelOptions { ModelOptions(model: name.model, parts: parts) }

    func run() async throws {
        HostMemory.installPool()
        let report = Reporter(quiet: evaluation.quiet)
        // Everything that can be refused is, before a model is looked at.
        let task = try EvaluationTask(evaluation)
        let files = try await model.files(report)
        let source = try source(task, files, report)
        let settings = try engine.resolved(report)
        let run = EvaluationRun(
            engine: settings.engine(files), task: task, source: source, report: report)
        var outcome = try await cancellingOnInterrupt { try await run.outcome() }
        if case .model(let request) = source, !task.rows.isEmpty {
            outcome.settings = GenerationMetadata(
                request, model: model.name(of: files), dtype: settings.dtype,
                device: settings.device, weights: settings.memory.storage)
        }
        try deliver(outcome, task, report)
    }

    /// Where images come from.
    private func source(
        _ task: EvaluationTask, _ files: ModelFiles, _ report: Reporter
    ) throws -> EvaluationRun.Source {
        if let made = task.made { return .made(made) }
        guard !task.rows.isEmpty else { return .made([:]) }
        var options = image
        options.height = image.height ?? task.size.height
        options.width = image.width ?? task.size.width
        var request = try options.request("", for: files, report)
        request.loras = lora.uses
        request.loraMode = lora.loraMode ?? .hot
        try request.validate()
        try task.require(request.roundedSize)
        return .model(request)
    }

    private func deliver(
        _ outcome: EvaluationOutcome, _ task: EvaluationTask, _ report: Reporter
    ) throws {
        if let folder = task.folder {
            try folder.write(outcome)
            report.notice("\(folder.report): figures and rows")
        }
        print(
            evaluation.json
                ? try JSON.line(outcome.summary, warnings: report.warnings) : outcome.table)
    }
}
