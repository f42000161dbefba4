import ArgumentParser
import Flux2
import Foundation
import Torch

struct Assemble: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a complete model's folder from a model and what was trained.",
        usage: """
            flux2 assemble <model> -o <output> [<options>]
            flux2 assemble -m <model> -o <output> [<options>]
            """,
        discussion: """
            Weights of full checkpoints replace those of the model, whichever components they are \
            of, and LoRAs are merged in. Files and tensors keep their names; all others are copied.

            Example:
              flux2 assemble klein-base-4b --checkpoint full/epoch-0.safetensors -o mine
            """)

    @Argument(
        help: .init(
            "A folder in the hub's layout, or the name of a model on this machine.",
            valueName: "model"),
        completion: .directory)
    var base: String?

    @Option(
        name: [.customShort("m"), .customLong("model")], help: "The same as <model>.",
        completion: .directory)
    var model: String?

    @Option(help: "Full checkpoint of flux2 train; may be repeated.", completion: .file())
    var checkpoint: [String] = []

    @Option(help: "LoRA as FILE or FILE:WEIGHT; may be repeated.", completion: .file())
    var lora: [LoRAOptions.Reference] = []

    @Option(help: "Type of the weights to write; as-stored keeps that of each.")
    var dtype = Stored.asStored

    @Option(
        help: """
            KEY=VALUE: a field of model_index.json, such as flux2.steps=30; may be repeated.
            """)
    var index: [String] = []

    @Option(help: "Notice to users of the model, shown with each image.")
    var notice: String?

    @Flag(help: "The model is distilled to 4 steps without guidance.")
    var distilled = false

    @Option(name: .shortAndLong, help: "Folder to write.", completion: .directory)
    var output: String

    @Flag(help: "Replace a model's folder that exists.")
    var force = false

    @OptionGroup var result: ResultOptions

    /// The type of weights in the files that are written.
    enum Stored: String, ExpressibleByArgument, CaseIterable {
        case bfloat16, float16, float32
        case asStored = "as-stored"

        init?(argument: String) {
            // asStored was its name first, and --weights has a shorter one.
            if ["as-stored", "asStored", "stored"].contains(argument) {
                self = .asStored
            } else if let dtype = DType(name: argument) {
                self.init(rawValue: dtype.name)
            } else {
                return nil
            }
        }

        var dtype: DType? { DType(name: rawValue) }
    }

    /// The object that `--json` prints.
    private struct Summary: Encodable {
        struct Source: Encodable {
            var path: String
            var weights: Int

            init(_ source: AssemblyReport.Source) {
                (path, weights) = (source.path, source.weights)
            }
        }

        struct Part: Encodable {
            var component: String
            var weights: Int
            var bytes: Int
            var taken: [Source]
            var folded: [Source]
        }

        var output: String
        var bytes: Int
        var parts: [Part]

        init(_ report: AssemblyReport, at path: String) {
            (output, bytes) = (path, report.bytes)
            parts = report.parts.map { part in
                Part(
                    component: part.component.rawValue, weights: part.weights, bytes: part.bytes,
                    taken: part.taken.map(Source.init), folded: part.folded.map(Source.init))
            }
        }
    }

    private func source() throws -> String {
        try Positions.values(of: [.init(name: "model", named: model)], words: [base])[0]
    }

    func validate() throws {
        _ = try source()
        let changes = !(checkpoint.isEmpty && lora.isEmpty && index.isEmpty)
        guard changes || dtype != .asStored || notice != nil || distilled else {
            throw ValidationError(
                "nothing to change: give --checkpoint, --lora, --dtype, --notice, --distilled or "
                    + "--index")
        }
        try settings().loras.forEach { try $0.check() }
    }

    private func settings() throws -> AssemblySettings {
        var fields = try index.map { try IndexField($0) }
        if let notice { fields.append(.init("flux2.notice", .text(notice))) }
        if distilled { fields.append(.init("is_distilled", .flag(true))) }
        return AssemblySettings(
            checkpoints: checkpoint,
            loras: lora.map { LoRAUse(path: $0.path, strength: $0.weight) }, dtype: dtype.dtype,
            index: fields)
    }

    func run() async throws {
        // A slash at the end would hide the folder's name.
        let path = output.count > 1 && output.hasSuffix("/") ? String(output.dropLast()) : output
        let (model, log) = (try source(), result.report)
        let found = try await assemble(model, to: path, log)
        let last = "\(path): \(Terminal.bytes(found.bytes)); flux2 generate \"…\" -m \(path)"
        try result.tell(
            Summary(found, at: path), log, found.parts.map { text($0, of: model) } + [last])
    }

    private func assemble(
        _ model: String, to path: String, _ log: Reporter
    ) async throws -> AssemblyReport {
        let (settings, force) = (try settings(), force)
        let status = StatusLine(log, logsEvery: .seconds(10))
        defer { status.finish() }
        return try await cancellingOnInterrupt {
            let assembly = try ModelAssembly(model: model, settings)
            let begun = ContinuousClock.now
            return try assembly.write(to: path, overwrite: force) { progress in
                try Task.checkCancellation()
                status.draw(isLast: progress.done == progress.total) {
                    Terminal.progress(
                        "assemble", progress.done, of: progress.total,
                        elapsed: (ContinuousClock.now - begun) / .seconds(1))
                }
            }
        }
    }

    /// `vae           961 kB: 244 of 244 weights from vae/epoch-0.safetensors`.
    private func text(_ part: AssemblyReport.Part, of model: String) -> String {
        let sources =
            part.taken.map { "\($0.weights) of \(part.weights) weights from \($0.path)" }
            + part.folded.map { "\($0.weights) changed by \($0.path)" }
        let name = part.component.rawValue.padding(toLength: 14, withPad: " ", startingAt: 0)
        return name + Terminal.bytes(part.bytes) + ": "
            + (sources.isEmpty ? "from \(model)" : sources.joined(separator: ", "))
    }
}
