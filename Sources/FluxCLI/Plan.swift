import ArgumentParser
import Files
import Flux2
import Foundation
import Torch

struct Plan: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what memory a picture will take, without making it.",
        discussion: "Takes the options of flux2 generate. No weight is read.")

    @Argument(help: "What the picture would show; only its length counts.")
    var prompt = ""

    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Picture") var picture: PictureOptions
    @OptionGroup(title: "Inputs") var inputs: InputOptions
    @OptionGroup(title: "LoRA") var lora: LoRAOptions
    @OptionGroup(title: "Tiling") var tiling: TilingOptions
    @OptionGroup(title: "Computation") var compute: ComputeOptions
    @OptionGroup(title: "Memory") var memory: MemoryOptions

    @Option(help: "Also write the plan as a drawing to this .svg file.")
    var svg: String?

    @Flag(help: "Replace a file that exists.")
    var force = false

    @Flag(help: "Print the plan as one JSON object.")
    var json = false

    func run() async throws {
        HostMemory.keepFreed()
        let report = Reporter(quiet: json)
        if let svg { try DrawingFile.check(svg, overwrite: force) }
        let files = try await model.files(report)
        let request = try picture.request(prompt, for: files, inputs, lora, tiling, report)
        let (device, dtype) = compute.resolved(report)
        let engine = Engine(
            files, device: device, dtype: dtype, threads: compute.threads,
            promptCache: compute.noPromptCache ? nil : .standard(),
            memory: try memory.settings(device, dtype, report),
            weightCache: memory.noWeightCache ? nil : .standard())
        let plan = try await engine.plan(request)
        print(json ? try JSON.line(plan) : plan.table)
        if let svg { try DrawingFile.write(plan.drawing, to: svg, overwrite: force) }
    }
}
