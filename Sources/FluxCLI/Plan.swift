import ArgumentParser
import FileSupport
import Flux2
import Foundation
import Torch

struct Plan: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what memory an image will take, without making it.",
        discussion: """
            Takes the options of flux2 generate. No weight is read and nothing is downloaded: the \
            shapes of published models are known.
            """)

    @Argument(help: "What the image would show; the plan does not depend on it.")
    var prompt = ""

    @OptionGroup var options: RequestOptions
    @OptionGroup(title: "Output") var drawing: DrawingOptions
    @OptionGroup(title: "Output") var result: ResultOptions
    @OptionGroup var machine: MachineOptions

    func run() async throws {
        HostMemory.installPool()
        let report = Reporter(quiet: result.quiet || result.json)
        try drawing.check()
        let prepared = try await options.prepared(
            prompt, on: machine, report, fetches: false)
        let plan = try await prepared.engine().plan(prepared.request) { event in
            if case .warned(let text) = event { report.warn(text) }
        }
        try result.show(plan, report, plan.table)
        try drawing.write(plan.drawing)
    }
}
