import ArgumentParser
import Flux2
import LoRA
import Torch

extension LoRACommand {
    struct Extract: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Extract the LoRA that leads from one transformer to another.",
            usage: """
                flux2 lora extract <base> <tuned> -o <output> [<options>]
                flux2 lora extract -m <base> <tuned> -o <output> [<options>]
                """)

        @Argument(
            help: "Transformer to start from: a model's folder, or a checkpoint.",
            completion: .file())
        var base: String?

        @Argument(help: "Transformer to arrive at.", completion: .file())
        var tuned: String?

        @Option(name: .shortAndLong, help: "The same as <base>.", completion: .file())
        var model: String?

        @Option(help: "Rank of the LoRA.")
        var rank = 32

        @OptionGroup var output: LoRAOutputOptions
        @OptionGroup var result: ResultOptions

        /// What was extracted so far, and the weight of which the most is left out.
        private struct Found {
            var adapters: [String: Adapter] = [:]
            var worst = (key: "", error: 0.0)
        }

        func validate() throws { _ = try places() }

        private func places() throws -> (base: String, tuned: String) {
            let found = try Positions.values(
                of: [.init(name: "base", option: "model", named: model), .init(name: "tuned")],
                words: [base, tuned])
            return (found[0], found[1])
        }

        /// The base by its name; where it is on this machine is nobody else's business.
        private func notes(_ base: String) -> [String: String] {
            guard let variant = Variant(named: base) else { return [:] }
            return ["flux2.base_model": variant.rawValue]
        }

        func run() throws {
            try withoutGradients {
                try output.check()
                let (base, tuned) = try places()
                let found = try extracted(from: TransformerPair(base: base, tuned: tuned))
                guard !found.adapters.isEmpty else {
                    throw ValidationError("\(base) and \(tuned) hold the same weights")
                }
                var written = try output.write(
                    found.adapters, source: tuned, metadata: notes(base))
                (written.worst, written.leftOut) = (found.worst.key, found.worst.error)
                let last = "most left out: \(Self.percent(found.worst.error)) of \(found.worst.key)"
                try result.tell(written, result.report, [written.line, last])
            }
        }

        private func extracted(from pairs: TransformerPair) throws -> Found {
            var all = Found()
            let report = result.report
            for (index, key) in pairs.keys.enumerated() {
                let change = try pairs.change(of: key)
                guard try change.abs().maximum().item() > 0 else { continue }
                let found = try WeightDelta.extracted(from: change, rank: rank)
                let dtype = try pairs.dtype(of: key)
                all.adapters[key] = try Adapter(found.delta).to(dtype: dtype, device: .cpu)
                if found.error > all.worst.error { all.worst = (key, found.error) }
                report.notice(
                    "\(index + 1) of \(pairs.keys.count)  \(key)  left out "
                        + Self.percent(found.error))
            }
            return all
        }

        private static func percent(_ share: Double) -> String {
            "\(Int((share * 100).rounded())) %"
        }
    }
}
