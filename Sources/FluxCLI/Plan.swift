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

    @OptionGroup var options: RequestOptions

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
        let prepared = try await options.prepared(prompt, report)
        let plan = try await prepared.engine().plan(prepared.request)
        print(json ? try JSON.line(plan) : plan.table)
        if let svg { try DrawingFile.write(plan.drawing, to: svg, overwrite: force) }
    }
}
