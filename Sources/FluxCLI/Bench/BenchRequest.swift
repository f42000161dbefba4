import ArgumentParser
import Files
import Flux2
import Foundation
import Torch

struct BenchRequest: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "request",
        abstract: "Measure the stages of a picture beside what the machine can do at most.",
        discussion: """
            Takes the options of flux2 generate; no picture is kept. The floor of a stage is what its \
            products take at the rate of one product measured meanwhile, or what it takes to read \
            their operands, if that is more. Figures are medians; files that are not in memory when \
            the first round begins slow that one down.
            """)

    @Argument(help: "What the picture would show; only its length counts.")
    var prompt = "a red fox in the snow"

    @Option(help: "How many pictures are made.")
    var rounds = 3

    @OptionGroup var options: RequestOptions

    @Option(
        help: "Also draw the stages as bars in this .svg file.", completion: .file())
    var svg: String?

    @Flag(help: "Replace a file that exists.")
    var force = false

    @Flag(help: "Print all figures as one JSON object.")
    var json = false

    func run() async throws {
        HostMemory.keepFreed()
        let report = Reporter(quiet: json)
        if let svg { try DrawingFile.check(svg, overwrite: force) }
        var prepared = try await options.prepared(prompt, report)
        // Each picture's prompt is encoded.
        prepared.settings.promptCache = nil
        let (made, rounds) = (prepared, rounds)
        let bench = try await cancellingOnInterrupt {
            try await RequestBench.measure(
                made.request, model: made.model, device: made.settings.device,
                dtype: made.settings.dtype, weights: made.settings.memory.storage, rounds: rounds,
                engine: made.engine,
                onRound: { report.notice("picture \($0 + 1) of \(rounds)") },
                onWarning: { report.warn($0) })
        }
        print(json ? try JSON.line(bench, warnings: report.warnings) : bench.table)
        if let svg { try DrawingFile.write(bench.drawing, to: svg, overwrite: force) }
    }
}
