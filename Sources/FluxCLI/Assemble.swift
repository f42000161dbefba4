import ArgumentParser
import Flux2
import Foundation
import Torch

struct Assemble: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a complete model's folder, with what was trained in it.",
        discussion: """
            Takes a model's files, puts the weights of full training checkpoints in the place of \
            its own, whichever components they are of, and folds LoRAs in. \
            Files and tensors keep their names; what does not change is copied.
            """)

    @Argument(
        help: "A folder in the hub's layout, or the name of a model on this machine.",
        completion: .directory)
    var model: String

    @Option(help: "A full checkpoint of flux2 train; may be repeated.", completion: .file())
    var checkpoint: [String] = []

    @Option(help: "LoRA as FILE or FILE:WEIGHT; may be repeated.", completion: .file())
    var lora: [LoRAOptions.Reference] = []

    @Option(help: "bfloat16, float32, or asStored, which leaves each weight as it is.")
    var dtype = Stored.asStored

    @Option(
        help: """
            KEY=VALUE: a field of model_index.json, such as flux2.steps=30; may be repeated.
            """)
    var index: [String] = []

    @Option(help: "What users shall know about the model; they are told with each picture.")
    var notice: String?

    @Flag(help: "The model was distilled to 4 steps without guidance.")
    var distilled = false

    @Option(name: .shortAndLong, help: "The folder to write.", completion: .directory)
    var output: String

    @Flag(help: "Replace a model's folder that exists.")
    var force = false

    @Flag(name: .shortAndLong, help: "No progress, no notices, no table.")
    var quiet = false

    /// The type of weights in the files that are written.
    enum Stored: String, ExpressibleByArgument, CaseIterable {
        case bfloat16, float32, asStored

        var dtype: DType? { DType(name: rawValue) }
    }

    func validate() throws {
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
        let found = try await assemble(to: path)
        guard !quiet else { return }
        for part in found.parts { print(text(part)) }
        print("\(path): \(Terminal.bytes(found.bytes)); flux2 generate \"…\" -m \(path)")
    }

    private func assemble(to path: String) async throws -> AssemblyReport {
        let (model, settings, force) = (model, try settings(), force)
        let status = StatusLine(Reporter(quiet: quiet), logsEvery: .seconds(10))
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
    private func text(_ part: AssemblyReport.Part) -> String {
        let sources =
            part.taken.map { "\($0.weights) of \(part.weights) weights from \($0.path)" }
            + part.folded.map { "\($0.weights) changed by \($0.path)" }
        let name = part.component.rawValue.padding(toLength: 14, withPad: " ", startingAt: 0)
        return name + Terminal.bytes(part.bytes) + ": "
            + (sources.isEmpty ? "from \(model)" : sources.joined(separator: ", "))
    }
}
