public import ArgumentParser
import Files
import Flux2
import FluxModels
import Foundation
public import Torch

struct Quantize: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a transformer or a text encoder in 8 bits.",
        discussion: """
            Matrices are packed; vectors, embeddings, modulation and the last layer stay as they \
            are. float8 is a plain conversion, as DiffSynth-Studio makes it; the others have scales: \
            one (float8-tensor), one for each row (float8-row, int8), or one for 128 neighbours \
            (int8-group). int8-rotated is for multiplying integers by integers. See \
            docs/quantization.md for how far each is from the original.
            """)

    /// What can be written in 8 bits.
    enum Part: String, ExpressibleByArgument, CaseIterable {
        case transformer
        case textEncoder = "text_encoder"
    }

    @Argument(
        help: "A model's folder or name, or the part's file, index or folder.",
        completion: .file())
    var model: String

    @Argument(
        help: "The .safetensors file to write; config.json goes beside it.", completion: .file())
    var output: String

    @Option(
        help: """
            float8, float8-tensor, float8-row, int8, int8-group, int8-group:WIDTH, or int8-rotated.
            """)
    var format: Packing

    @Option(help: "transformer or text_encoder.")
    var part = Part.transformer

    @Option(help: "Keep weights of these names, with * and ?; may be repeated.")
    var exclude: [String] = []

    @Option(help: "Pack matrices of these names, whatever else is said; may be repeated.")
    var include: [String] = []

    @Flag(help: "Pack everything, vectors included, as DiffSynth-Studio does; for float8.")
    var all = false

    @Option(help: "Also write the table of errors to this .json file.", completion: .file())
    var report: String?

    @Flag(help: "Replace files that exist.")
    var force = false

    @Flag(name: .shortAndLong, help: "No progress, no notices, no table.")
    var quiet = false

    func validate() throws {
        guard output.hasSuffix(".safetensors") else {
            throw ValidationError("the file to write must end in .safetensors, not '\(output)'")
        }
        guard !all || format == .float8 else {
            throw ValidationError("--all is for --format float8, not \(format.name)")
        }
    }

    func run() async throws {
        try AtomicFile.checkWritable(output, overwrite: force)
        if let report { try AtomicFile.checkWritable(report, overwrite: force) }
        let settings = QuantizationSettings(
            format, packsAll: all, excluded: exclude, included: include)
        let found = try await quantize(settings)
        if let report {
            try AtomicFile.write(report, bytes: Array(JSON.line(found).utf8), overwrite: force)
        }
        if !quiet { table(of: found).forEach { print($0) } }
    }

    private func quantize(_ settings: QuantizationSettings) async throws -> QuantizationReport {
        let (model, output, force) = (model, output, force)
        let component: Component = part == .transformer ? .transformer : .textEncoder
        let status = StatusLine(Reporter(quiet: quiet), logsEvery: .seconds(10))
        defer { status.finish() }
        return try await cancellingOnInterrupt {
            let source = try QuantizationSource(model: model, part: component)
            let begun = ContinuousClock.now
            return try QuantizedCheckpoint.write(
                source, settings, to: output, overwrite: force
            ) { progress in
                try Task.checkCancellation()
                status.draw(isLast: progress.done == progress.total) {
                    Terminal.progress(
                        "quantize", progress.done, of: progress.total,
                        elapsed: (ContinuousClock.now - begun) / .seconds(1))
                }
            }
        }
    }

    /// The most changed first.
    private func table(of report: QuantizationReport) -> [String] {
        let rows = report.layers.map { layer in
            (layer.name, layer.shape.map(String.init).joined(separator: " x "), errors(of: layer))
        }
        let names = rows.map(\.0.count).max() ?? 0
        let shapes = rows.map(\.1.count).max() ?? 0
        let packed = rows.map { name, shape, error in
            name.padding(toLength: names + 2, withPad: " ", startingAt: 0)
                + shape.padding(toLength: shapes + 2, withPad: " ", startingAt: 0)
                + error
        }
        let option = part == .transformer ? "--transformer" : "--text-encoder"
        return packed + [
            "\(report.layers.count) weights packed as \(format.name), \(report.kept.count) kept; "
                + "rms error \(Self.percent(report.error)), "
                + "\(Terminal.bytes(report.bytes)) of \(Terminal.bytes(report.sourceBytes))",
            "\(output): use it with \(option)",
        ]
    }

    /// Of the weight, and of what it gives.
    private func errors(of layer: QuantizationReport.Layer) -> String {
        let output = layer.outputError.map { ", output \(Self.percent($0))" }
        return Self.percent(layer.error) + (output ?? "")
    }

    private static func percent(_ share: Double) -> String {
        String(format: "%.3f %%", share * 100)
    }
}

extension Packing: ExpressibleByArgument {
    public init?(argument: String) { self.init(name: argument) }

    public var defaultValueDescription: String { name }
    public static var allValueStrings: [String] { Packing.all.map(\.name) }
}
