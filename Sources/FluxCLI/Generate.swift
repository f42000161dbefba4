import ArgumentParser
import FileSupport
import Flux2
import Foundation
import Imaging
import Torch

struct Generate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make images from prompts.",
        discussion: """
            Examples:
              flux2 generate "a red fox in the snow"
              flux2 generate "a red fox" -m klein-4b --seed 7 --count 4 -o fox-{seed}.png
              flux2 generate "make it night" -m klein-4b --edit-image day.jpg -o night.png
              flux2 generate "a fox, my style" -m klein-4b --lora style.safetensors:0.8
            """)

    @Argument(help: "What the image shows.")
    var prompt: String?

    @OptionGroup var options: RequestOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup(title: "Basics") var batch: BatchOptions
    @OptionGroup var machine: MachineOptions

    private var count: Int { batch.count }

    func validate() throws {
        guard (prompt == nil) != (batch.promptFile == nil) else {
            throw ValidationError("give either a prompt or --prompt-file")
        }
    }

    func run() async throws {
        HostMemory.installPool()
        let report = Reporter(quiet: output.quiet)
        let prompts = try prompts(report)
        let early = try earlyCheck(prompts)
        let prepared = try await options.prepared(
            prompts[0], on: machine, report, beforeFetching: early)
        var batch = try Batch(
            prepared.request, prompts: prompts, count: count, output: output,
            model: prepared.model)
        try batch.check()
        tellOfNoEffect(prepared.request, batch, report)
        let maker = BatchRunner(
            engine: prepared.engine(), model: prepared.model, settings: prepared.settings,
            report: report)
        try await maker.make(batch)
    }

    /// Outputs are looked at when all else is sound, or before a long download: then only those whose
    /// names do not depend on what is still unknown.
    private func earlyCheck(_ prompts: [String]) throws -> @Sendable () throws -> Void {
        let isNamed = try output.output.map { try !OutputPattern($0).hasFields } ?? true
        guard isNamed else { return {} }
        let batch = try Batch(
            .init(prompt: "", seed: 0), prompts: prompts, count: count, output: output, model: "")
        return {
            var batch = batch
            try batch.check()
        }
    }

    /// Options of this command that do nothing beside the others.
    private func tellOfNoEffect(
        _ request: GenerationRequest, _ batch: Batch, _ report: Reporter
    ) {
        if output.quality != nil, batch.jobs.allSatisfy({ (try? $0.place.format()) == .png }) {
            report.warn("--quality has no effect on PNG, which loses nothing")
        }
        if count > 1, request.initialNoise != nil {
            report.warn(
                "--count: all images of a prompt are the same, since --initial-noise takes the "
                    + "place of seeds")
        }
    }

    private func prompts(_ report: Reporter) throws -> [String] {
        guard let promptFile = batch.promptFile else { return [prompt ?? ""] }
        let file = try TextFile(path: promptFile)
        if let remark = file.remark { report.warn(remark) }
        guard !file.lines.isEmpty else { throw ValidationError("\(promptFile): holds no prompt") }
        return file.lines
    }
}
