import ArgumentParser
import FileSupport
import Flux2
import Foundation
import Torch

struct BenchRequest: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "request",
        abstract: "Measure the stages of an image beside the machine's limits.",
        discussion: """
            Takes the options of flux2 generate; no image is kept. The floor of a stage is the time of \
            its matrix products at the rate of one that is measured meanwhile. Where reading their \
            operands takes longer, it is that time. Figures are medians; files that are not cached \
            slow the first round down.
            """)

    @Argument(help: "What the image would show; only its length counts.")
    var prompt = "a red fox in the snow"

    @Option(help: "Images to make.")
    var rounds = 3

    @OptionGroup var options: RequestOptions
    @OptionGroup(title: "Output") var drawing: DrawingOptions
    @OptionGroup(title: "Output") var result: ResultOptions
    @OptionGroup var machine: MachineOptions

    func run() async throws {
        HostMemory.installPool()
        let report = Reporter(quiet: result.quiet || result.json)
        try drawing.check()
        var prepared = try await options.prepared(prompt, on: machine, report)
        // Each image's prompt is encoded.
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
        try result.show(bench, report, bench.table)
        try drawing.write(bench.drawing)
    }
}
