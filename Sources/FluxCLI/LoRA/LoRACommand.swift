public import ArgumentParser
import Files
import Flux2
public import LoRA
import FluxModels
import Torch

struct LoRACommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lora", abstract: "Look into LoRA files, rename, join and extract them.",
        subcommands: [Inspect.self, Convert.self, Merge.self, Extract.self])
}

/// Which model's names and shapes a LoRA is held against.
struct TargetOptions: ParsableArguments {
    @Option(help: "The model's folder, or its transformer; one of the published ones when absent.")
    var model: String?

    /// The given model, or the published one that has most of the file's modules.
    func targets(for file: LoRAFile) throws -> (name: String, targets: AdapterTargets) {
        if let model { return (model, try AdapterTargets(model: model)) }
        guard let found = file.publishedModel else {
            throw LoRAError(
                path: file.path,
                reason: .noMatch(
                    modules: file.modules.count, first: file.modules.first?.name ?? ""))
        }
        return (found.rawValue, AdapterTargets(found.shapes))
    }
}

/// Where a command writes to.
struct LoRAOutputOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "The .safetensors file to write.")
    var output: String

    @Option(
        help: """
            Naming: diffsynth, diffusers, peft (with adapter_config.json beside), comfyui or kohya; \
            diffsynth when absent.
            """)
    var to: LoRADialect?

    @Flag(help: "Replace files that exist.")
    var force = false

    func write(_ adapters: [String: Adapter], source: String) throws {
        let dialect = to ?? .diffsynth
        let writer = try LoRAWriter(adapters, dialect: dialect, source: source)
        try writer.write(to: output, overwrite: force)
        print("\(output): \(adapters.count) weights, named as by \(dialect.rawValue)")
    }
}

extension LoRADialect: ExpressibleByArgument {}

extension LoRACommand {
    struct Inspect: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Tell a LoRA's naming, model, kinds and ranks.")

        @Argument(help: "The .safetensors file.")
        var file: String

        @OptionGroup var target: TargetOptions

        @Flag(help: "Print one JSON object.")
        var json = false

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
            let report = try report()
            if json {
                print(try JSON.line(report))
                return
            }
            func counts(_ values: [String: Int]) -> String {
                values.sorted { $0.value > $1.value }.map { "\($0.key) (\($0.value))" }
                    .joined(separator: ", ")
            }
            print(report.path)
            print("  naming      \(report.dialect)")
            print("  model       \(report.model ?? "none of the published ones")")
            print("  kinds       \(counts(report.kinds))")
            print("  ranks       \(counts(report.ranks))")
            print("  scales      \(counts(report.scales))")
            print("  matched     \(report.matched) weights")
            print("  unmatched   \(report.unmatched.count) names")
            for name in report.unmatched.prefix(10) { print("              \(ShownText.line(name))") }
            if report.textEncoderTensors > 0 {
                print("  ignored     \(report.textEncoderTensors) tensors of text encoders")
            }
            for (key, value) in report.metadata.sorted(by: { $0.key < $1.key }) {
                print("  metadata    \(ShownText.line(key)): \(ShownText.line(value.prefix(120)))")
            }
        }

        private func report() throws -> Report {
            let file = try LoRAFile(path: file)
            let found = try? target.targets(for: file)
            if found == nil, target.model != nil { _ = try target.targets(for: file) }
            let changes = try found.map { try file.changes(for: $0.targets) }
            let adapters = changes.map { Array($0.adapters.values) } ?? []
            return Report(
                path: file.path, dialect: file.dialect.rawValue, model: found?.name,
                kinds: tally(adapters.map(\.kind)),
                ranks: tally(adapters.compactMap { $0.delta.rank.map(String.init) }),
                scales: tally(adapters.map { "\($0.scale)" }), matched: adapters.count,
                unmatched: (changes?.unmatched ?? file.modules.map(\.name)) + file.foreignTensors,
                textEncoderTensors: file.textEncoderTensors.count, metadata: file.metadata)
        }

        private func tally(_ values: [String]) -> [String: Int] {
            Dictionary(values.map { ($0, 1) }, uniquingKeysWith: +)
        }
    }

    struct Convert: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a LoRA in the naming of another program.")

        @Argument(help: "The .safetensors file.")
        var file: String

        @OptionGroup var target: TargetOptions
        @OptionGroup var output: LoRAOutputOptions

        func run() throws {
            try withoutGradients {
                let file = try LoRAFile(path: file)
                let changes = try file.changes(for: target.targets(for: file).targets)
                try changes.requireAll(of: file)
                try output.write(changes.adapters, source: file.path)
            }
        }
    }

    struct Merge: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Join several LoRAs, with weights, into one, or fold them into a model.")

        @Argument(help: "LoRAs as FILE or FILE:WEIGHT.")
        var files: [LoRAOptions.Reference]

        @Option(
            help: """
                A model's folder, or its transformer: write that with the LoRAs folded in, as one \
                checkpoint for --transformer, instead of a LoRA.
                """)
        var into: String?

        @OptionGroup var target: TargetOptions
        @OptionGroup var output: LoRAOutputOptions

        func validate() throws {
            guard into == nil || (output.to == nil && target.model == nil) else {
                throw ValidationError("--into contradicts --to and --model")
            }
        }

        func run() throws {
            try withoutGradients {
                if let into {
                    try fold(into: into)
                    return
                }
                let all = try changes { try target.targets(for: $0).targets }
                let merged = try LoRAChanges.merged(all, source: files[0].path)
                try output.write(merged.adapters, source: files[0].path)
            }
        }

        private func changes(
            _ targets: (LoRAFile) throws -> AdapterTargets
        ) throws -> [(changes: LoRAChanges, strength: Double)] {
            try files.map { reference in
                let file = try LoRAFile(path: reference.path)
                let changes = try file.changes(for: targets(file))
                try changes.requireAll(of: file)
                return (changes, reference.weight)
            }
        }

        private func fold(into model: String) throws {
            try AtomicFile.checkWritable(output.output, overwrite: output.force)
            let transformer = try FusedTransformer(model: model)
            let targets = transformer.targets
            let all = try changes { _ in targets }
            let report = Reporter(quiet: false)
            try transformer.write(with: all, to: output.output, overwrite: output.force) {
                if $0 % 20 == 0 || $0 == $1 { report.notice("\($0) of \($1) weights") }
            }
            let count = Set(all.flatMap { $0.changes.adapters.keys }).count
            print("\(output.output): \(count) weights changed; use it with --transformer")
        }
    }

    struct Extract: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Find the LoRA that leads from one transformer to another.")

        @Argument(help: "The transformer to start from: a model's folder, or a checkpoint.")
        var base: String

        @Argument(help: "The transformer to arrive at.")
        var tuned: String

        @Option(help: "Rank of each weight's change.")
        var rank = 32

        @OptionGroup var output: LoRAOutputOptions

        func validate() throws {
            guard (1...4096).contains(rank) else {
                throw ValidationError("--rank must be 1 to 4096, not \(rank)")
            }
        }

        func run() throws {
            try withoutGradients {
                let pairs = try TransformerPair(base: base, tuned: tuned)
                var adapters: [String: Adapter] = [:]
                var worst = (key: "", error: 0.0)
                for (index, key) in pairs.keys.enumerated() {
                    let change = try pairs.change(of: key)
                    guard try change.abs().maximum().item() > 0 else { continue }
                    let found = try WeightDelta.extracted(from: change, rank: rank)
                    let dtype = try pairs.dtype(of: key)
                    adapters[key] = try Adapter(found.delta).to(dtype: dtype, device: .cpu)
                    if found.error > worst.error { worst = (key, found.error) }
                    Reporter(quiet: false).notice(
                        "\(index + 1) of \(pairs.keys.count)  \(key)  left out "
                            + "\(Int((found.error * 100).rounded())) %")
                }
                guard !adapters.isEmpty else {
                    throw ValidationError("\(base) and \(tuned) hold the same weights")
                }
                try output.write(adapters, source: tuned)
                print("most left out: \(Int((worst.error * 100).rounded())) % of \(worst.key)")
            }
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
