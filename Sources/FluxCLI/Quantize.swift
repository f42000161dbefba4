public import ArgumentParser
import FileSupport
import Flux2
import FluxModels
import Foundation
public import Torch

struct Quantize: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Quantize a transformer or a text encoder to 8 bits.",
        usage: """
            flux2 quantize <model> <output> --format <format> [<options>]
            flux2 quantize -m <model> -o <output> --format <format> [<options>]
            """,
        discussion: """
            Matrices are quantized; vectors, embeddings, modulation and the last layer stay as they \
            are. float8 is a plain conversion, as in DiffSynth-Studio; the other formats have scales. \
            float8-tensor has one for a matrix, float8-row and int8 one for each row, int8-group one \
            for 128 neighbors. int8-rotated is for products of integers. docs/quantization.md shows \
            the errors of each.

            Example:
              flux2 quantize klein-4b -o klein-4b-int8.safetensors --format int8
            """)

    /// What can be written in 8 bits.
    enum Part: String, ExpressibleByArgument, CaseIterable {
        case transformer
        case textEncoder = "text_encoder"
    }

    /// What is read and what is written.
    struct Paths: ParsableArguments {
        @Argument(
            help: "A model's folder or name, or the component's file, index or folder.",
            completion: .file())
        var model: String?

        @Argument(
            help: "The .safetensors file to write; config.json goes beside it.",
            completion: .file())
        var output: String?

        @Option(
            name: [.customShort("m"), .customLong("model")], help: "The same as <model>.",
            completion: .file())
        var namedModel: String?

        @Option(
            name: [.customShort("o"), .customLong("output")], help: "The same as <output>.",
            completion: .file())
        var namedOutput: String?

        /// Both, wherever they stand.
        func values() throws -> (model: String, output: String) {
            let found = try Positions.values(
                of: [
                    .init(name: "model", named: namedModel),
                    .init(name: "output", named: namedOutput),
                ], words: [model, output])
            return (found[0], found[1])
        }
    }

    @OptionGroup var paths: Paths

    @Option(help: "Format to quantize to; int8-group:WIDTH has groups of another width.")
    var format: QuantizationFormat

    @Option(help: "Component to quantize.")
    var part = Part.transformer

    @Option(help: "Weights to keep, by name, with * and ?; may be repeated.")
    var exclude: [String] = []

    @Option(help: "Matrices to quantize in any case, by name; may be repeated.")
    var include: [String] = []

    @Flag(help: "All weights, vectors included, as in DiffSynth-Studio; for float8.")
    var all = false

    @Option(help: "Table of errors to write, as .json.", completion: .file())
    var report: String?

    @Flag(help: "Replace files that exist.")
    var force = false

    @OptionGroup var result: ResultOptions

    /// The object that `--json` prints: what `--report` writes, and the file.
    private struct Summary: Encodable {
        var report: QuantizationReport
        var output: String

        private enum CodingKeys: CodingKey { case output }

        func encode(to encoder: any Encoder) throws {
            try report.encode(to: encoder)
            var fields = encoder.container(keyedBy: CodingKeys.self)
            try fields.encode(output, forKey: .output)
        }
    }

    func validate() throws {
        let output = try paths.values().output
        guard output.hasSuffix(".safetensors") else {
            throw ValidationError("the file to write must end in .safetensors, not '\(output)'")
        }
        guard !all || format == .float8 else {
            throw ValidationError("--all is for --format float8, not \(format.name)")
        }
    }

    func run() async throws {
        let (model, output) = try paths.values()
        try AtomicFile.checkWritable(output, overwrite: force)
        if let report { try AtomicFile.checkWritable(report, overwrite: force) }
        let settings = QuantizationSettings(
            format, packsAll: all, excluded: exclude, included: include)
        let log = result.report
        let found = try await quantize(model, to: output, settings, log)
        if let report {
            try AtomicFile.write(report, bytes: Array(JSON.line(found).utf8), overwrite: force)
        }
        try result.tell(
            Summary(report: found, output: output), log, table(of: found, in: output))
    }

    private func quantize(
        _ model: String, to output: String, _ settings: QuantizationSettings, _ log: Reporter
    ) async throws -> QuantizationReport {
        let force = force
        let component: Component = part == .transformer ? .transformer : .textEncoder
        let status = StatusLine(log, logsEvery: .seconds(10))
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
    private func table(of report: QuantizationReport, in output: String) -> [String] {
        let rows = report.layers.map { layer in
            (layer.name, layer.shape.map(String.init).joined(separator: " x "), errors(of: layer))
        }
        let names = rows.map(\.0.count).max() ?? 0
        let shapes = rows.map(\.1.count).max() ?? 0
        let quantized = rows.map { name, shape, error in
            name.padding(toLength: names + 2, withPad: " ", startingAt: 0)
                + shape.padding(toLength: shapes + 2, withPad: " ", startingAt: 0)
                + error
        }
        let option = part == .transformer ? "--transformer" : "--text-encoder"
        return quantized + [
            "\(report.layers.count) weights quantized as \(format.name), \(report.kept.count) kept; "
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

extension QuantizationFormat: ExpressibleByArgument {
    public init?(argument: String) { self.init(name: argument) }

    public var defaultValueDescription: String { name }
    public static var allValueStrings: [String] { QuantizationFormat.all.map(\.name) }
}
