import ArgumentParser
import Files
import Flux2
import Foundation
import Torch

struct Plan: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what memory a picture will take, without making it.",
        discussion: """
            Takes the options of flux2 generate. No weight is read and nothing is fetched: of \
            published models that are not on this machine the shapes are known.
            """)

    @Argument(help: "What the picture would show; nothing of a plan depends on it.")
    var prompt = ""

    @OptionGroup var options: RequestOptions

    @Option(
        help: "Also write the plan as a drawing to this .svg file.", completion: .file())
    var svg: String?

    @Flag(help: "Replace a file that exists.")
    var force = false

    @Flag(help: "Print the plan as one JSON object.")
    var json = false

    func run() async throws {
        HostMemory.keepFreed()
        let report = Reporter(quiet: json)
        if let svg { try DrawingFile.check(svg, overwrite: force) }
        let prepared = try await options.prepared(prompt, report, fetches: false)
        let plan = try await prepared.engine().plan(prepared.request) { event in
            if case .warned(let text) = event { report.warn(text) }
        }
        print(json ? try JSON.line(plan, warnings: report.warnings) : plan.table)
        if let svg { try DrawingFile.write(plan.drawing, to: svg, overwrite: force) }
    }
}
