import ArgumentParser
import Flux2
import Torch

struct Evaluate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure how well a model draws what prompts ask for.",
        discussion: """
            Makes a picture for each row and compares it with the one that was expected. Rows have \
            image, prompt, group and, where it is to be looked at, color. Without --height and \
            --width pictures are as large as those they are compared with.
            """)

    @OptionGroup(title: "Evaluation") var evaluation: EvaluationOptions
    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Picture") var picture: PictureOptions
    @OptionGroup(title: "LoRA") var lora: LoRAOptions
    @OptionGroup var engine: EngineOptions

    func run() async throws {
        HostMemory.keepFreed()
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
            outcome.settings = Settings(
                request, model: model.name(of: files), dtype: settings.dtype,
                device: settings.device, weights: settings.memory.storage)
        }
        try deliver(outcome, task, report)
    }

    /// Where pictures come from.
    private func source(
        _ task: EvaluationTask, _ files: ModelFiles, _ report: Reporter
    ) throws -> EvaluationRun.Source {
        if let made = task.made { return .made(made) }
        guard !task.rows.isEmpty else { return .made([:]) }
        var options = picture
        options.height = picture.height ?? task.size.height
        options.width = picture.width ?? task.size.width
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
