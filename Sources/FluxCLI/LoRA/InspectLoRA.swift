import FileSupport
import ArgumentParser
import Flux2
import LoRA
import Torch

extension LoRACommand {
    struct Inspect: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a LoRA's naming, model, kinds and ranks.")

        @Argument(help: "The .safetensors file.", completion: .file())
        var file: String

        @OptionGroup var target: TargetOptions

        @OptionGroup var result: ResultOptions

        struct Report: Encodable {
            var path: String
            var dialect: String
            var model: String?
            var kinds: [String: Int]
            var ranks: [String: Int]
            var scales: [String: Int]
            var matched: Int
            var unmatched: [String]
            var textEncoderTensors: Int
            var metadata: [String: String]
        }

        func run() throws {
            let file = try LoRAFile(path: file)
            let report = try report(file)
            let warnings = try warnings(report, file)
            if result.json {
                print(try JSON.line(report, warnings: warnings))
                return
            }
            print(Self.text(report))
            let reporter = result.report
            warnings.forEach { reporter.warn($0) }
        }

        private static func text(_ report: Report) -> String {
            func counts(_ values: [String: Int]) -> String {
                values.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
                    .map { "\($0.key) (\($0.value))" }.joined(separator: ", ")
            }
            var lines = [
                report.path, "  naming      \(report.dialect)",
                "  model       \(report.model ?? "none of the published ones")",
                "  kinds       \(counts(report.kinds))", "  ranks       \(counts(report.ranks))",
                "  scales      \(counts(report.scales))", "  matched     \(report.matched) weights",
                "  unmatched   \(report.unmatched.count) names",
            ]
            lines += report.unmatched.prefix(10).map { "              \(ShownText.line($0))" }
            if report.textEncoderTensors > 0 {
                lines.append("  besides     \(report.textEncoderTensors) tensors of text encoders")
            }
            lines += report.metadata.sorted { $0.key < $1.key }
                .map {
                    "  metadata    \(ShownText.line($0.key)): \(ShownText.line($0.value.prefix(120)))"
                }
            return lines.joined(separator: "\n")
        }

        private func report(_ file: LoRAFile) throws -> Report {
            var found: TargetOptions.Found?
            var changes: LoRAChanges?
            if file.moduleOfFlux1 == nil {
                found = try? target.targets(for: file)
                if found == nil, target.model != nil { _ = try target.targets(for: file) }
                changes = try found.map { try file.changes(for: $0.targets) }
            }
            let adapters = changes.map { Array($0.adapters.values) } ?? []
            return Report(
                path: file.path, dialect: file.dialect.rawValue,
                model: file.moduleOfFlux1 == nil ? found?.name : "FLUX.1, not FLUX.2",
                kinds: tally(adapters.map(\.kind)),
                ranks: tally(adapters.compactMap { $0.delta.rank.map(String.init) }),
                scales: tally(adapters.map { "\($0.scale)" }), matched: adapters.count,
                unmatched: (changes?.unmatched ?? file.modules.map(\.name)) + file.foreignTensors,
                textEncoderTensors: file.textEncoderTensors.count, metadata: file.metadata)
        }

        /// What keeps the whole file from being applied.
        private func warnings(_ report: Report, _ file: LoRAFile) throws -> [String] {
            var warnings: [String] = []
            if report.matched == 0 {
                warnings.append("\(file.path): none of its modules is one of FLUX.2's")
            } else if !report.unmatched.isEmpty {
                warnings.append(
                    "\(file.path): \(report.unmatched.count) names, such as "
                        + "'\(report.unmatched[0])', are none of the model's")
            }
            if report.textEncoderTensors > 0 {
                warnings.append(
                    "\(file.path): \(report.textEncoderTensors) tensors of text encoders were not compared"
                )
            }
            return warnings
        }

        private func tally(_ values: [String]) -> [String: Int] {
            Dictionary(values.map { ($0, 1) }, uniquingKeysWith: +)
        }
    }
}

extension Adapter {
    fileprivate var kind: String {
        let form =
            switch delta {
            case .lowRank: "LoRA"
            case .kronecker: "LoKr"
            case .hadamard: "LoHa"
            case .dense: "full"
            }
        return magnitude == nil ? form : "\(form) with DoRA"
    }
}
