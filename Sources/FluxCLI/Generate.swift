import ArgumentParser
import Flux2
import Foundation
import Imaging
import Torch

struct Generate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Make pictures from prompts.")

    @Argument(help: "What the picture shows.")
    var prompt: String?

    @Option(help: "A text file with a prompt on each line, instead of PROMPT.")
    var promptFile: String?

    @Option(help: "Pictures of each prompt, with seeds that follow each other.")
    var count = 1

    @OptionGroup var options: RequestOptions
    @OptionGroup(title: "Output") var output: OutputOptions

    func validate() throws {
        guard (prompt == nil) != (promptFile == nil) else {
            throw ValidationError("give either a prompt or --prompt-file")
        }
    }

    func run() async throws {
        HostMemory.keepFreed()
        let report = Reporter(quiet: output.quiet)
        let prompts = try prompts()
        // Outputs are looked at before models are, and before pictures are read.
        try Batch(.init(prompt: "", seed: 0), prompts: prompts, count: count, output: output)
            .check()
        let prepared = try await options.prepared(prompts[0], report)
        let batch = Batch(prepared.request, prompts: prompts, count: count, output: output)
        let maker = PictureMaker(
            engine: prepared.engine(), model: prepared.model, settings: prepared.settings,
            report: report)
        try await maker.make(batch)
    }

    private func prompts() throws -> [String] {
        guard let promptFile else { return [prompt ?? ""] }
        guard let text = try? String(contentsOfFile: promptFile, encoding: .utf8) else {
            throw ValidationError("\(promptFile): cannot be read as UTF-8 text")
        }
        let lines = text.split(whereSeparator: \.isNewline).map(String.init)
            .filter { !$0.allSatisfy(\.isWhitespace) }
        guard !lines.isEmpty else { throw ValidationError("\(promptFile): holds no prompt") }
        return lines
    }
}
