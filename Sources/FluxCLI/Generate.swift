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

    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Picture") var picture: PictureOptions
    @OptionGroup(title: "Inputs") var inputs: InputOptions
    @OptionGroup(title: "LoRA") var lora: LoRAOptions
    @OptionGroup(title: "Tiling") var tiling: TilingOptions
    @OptionGroup(title: "Computation") var compute: ComputeOptions
    @OptionGroup(title: "Memory") var memory: MemoryOptions
    @OptionGroup(title: "Output") var output: OutputOptions

    func validate() throws {
        guard (prompt == nil) != (promptFile == nil) else {
            throw ValidationError("give either a prompt or --prompt-file")
        }
        guard (1...10_000).contains(count) else {
            throw ValidationError("--count must be 1 to 10000, not \(count)")
        }
    }

    func run() async throws {
        HostMemory.keepFreed()
        let report = Reporter(quiet: output.quiet)
        let prompts = try prompts()
        // Outputs are looked at before models are, and before pictures are read.
        try Batch(.init(prompt: "", seed: 0), prompts: prompts, count: count, output: output)
            .check()
        let files = try await model.files(report)
        let request = try picture.request(prompts[0], for: files, inputs, lora, tiling, report)
        let batch = Batch(request, prompts: prompts, count: count, output: output)
        let (device, dtype) = compute.resolved(report)
        let memory = try memory.settings(device, dtype, report)
        let engine = Engine(
            files, device: device, dtype: dtype, threads: compute.threads,
            promptCache: compute.noPromptCache ? nil : .standard(),
            memory: memory, weightCache: self.memory.noWeightCache ? nil : .standard())
        let maker = PictureMaker(
            engine: engine, model: model.model ?? files.name ?? files.transformer[0],
            device: device,
            dtype: dtype, memory: memory, report: report)
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
