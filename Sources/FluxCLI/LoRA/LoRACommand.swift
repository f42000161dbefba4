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
    @Option(
        help: """
            The model's folder, or its transformer. When absent, the one that the file's \
            flux2.base_model names, a published one that has its modules, or the file's own shapes.
            """, completion: .directory)
    var model: String?

    /// What a file's modules are held against.
    struct Found {
        /// The model's name; nil where only the file's own shapes tell.
        var name: String?
        var targets: AdapterTargets
    }

    /// - Throws: `LoRAError` for the LoRA of another model.
    func targets(for file: LoRAFile) throws -> Found {
        if let model { return Found(name: model, targets: try AdapterTargets(model: model)) }
        let named = file.baseModel.flatMap(Variant.init(named:))
        if let named {
            return Found(name: named.rawValue, targets: .init(named.transformer.shapes))
        }
        if let found = file.publishedModel {
            return Found(name: found.rawValue, targets: AdapterTargets(found.shapes))
        }
        return Found(name: file.baseModel, targets: try AdapterTargets(namedIn: file))
    }
}

/// Where a command writes to.
struct LoRAOutputOptions: ParsableArguments {
    @Option(
        name: .shortAndLong, help: "The .safetensors file to write; for peft, a folder.",
        completion: .file())
    var output: String

    @Option(
        help: """
            Naming: diffsynth, diffusers, peft (a folder, as PEFT loads it), comfyui or kohya; \
            diffsynth when absent.
            """)
    var to: LoRADialect?

    @Flag(help: "Replace files that exist.")
    var force = false

    /// Refuses what could not be written before any work is done.
    func check() throws {
        try LoRAWriter.checkWritable(output, to ?? .diffsynth, overwrite: force)
    }

    /// - Parameter metadata: what the file shall say about itself.
    func write(
        _ adapters: [String: Adapter], source: String, metadata: [String: String]
    ) throws {
        let dialect = to ?? .diffsynth
        let writer = try LoRAWriter(
            adapters, dialect: dialect, source: source, metadata: metadata)
        let path = try writer.write(to: output, overwrite: force)
        print("\(path): \(adapters.count) weights, named as by \(dialect.rawValue)")
    }
}

extension LoRADialect: ExpressibleByArgument {}

extension LoRACommand {
    struct Convert: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a LoRA in the naming of another program.")

        @Argument(help: "The .safetensors file.", completion: .file())
        var file: String

        @OptionGroup var target: TargetOptions
        @OptionGroup var output: LoRAOutputOptions

        func run() throws {
            try withoutGradients {
                let file = try LoRAFile(path: file)
                let changes = try file.changes(for: target.targets(for: file).targets)
                try changes.requireAll(of: file)
                try output.check()
                try output.write(changes.adapters, source: file.path, metadata: file.metadata)
            }
        }
    }

    struct Merge: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Join several LoRAs, with weights, into one, or fold them into a model.")

        @Argument(help: "LoRAs as FILE or FILE:WEIGHT.", completion: .file())
        var files: [LoRAOptions.Reference]

        @Option(
            help: """
                A model's folder, or its transformer: write that with the LoRAs folded in, as one \
                checkpoint for --transformer, instead of a LoRA.
                """, completion: .directory)
        var into: String?

        @OptionGroup var target: TargetOptions
        @OptionGroup var output: LoRAOutputOptions

        func validate() throws {
            guard into == nil || (output.to == nil && target.model == nil) else {
                throw ValidationError("--into contradicts --to and --model")
            }
            try files.forEach { try LoRAUse(path: $0.path, strength: $0.weight).check() }
        }

        func run() throws {
            try withoutGradients {
                if let into {
                    try fold(into: into)
                    return
                }
                var bases: [String?] = []
                let all = try changes { file in
                    bases.append(file.baseModel)
                    return try target.targets(for: file).targets
                }
                try output.check()
                let merged = try LoRAChanges.merged(all, source: files[0].path)
                try output.write(
                    merged.adapters, source: files[0].path, metadata: Self.notes(bases))
            }
        }

        /// The model of all files, if they agree on it.
        private static func notes(_ bases: [String?]) -> [String: String] {
            guard let base = bases.first ?? nil, bases.allSatisfy({ $0 == base }) else {
                return [:]
            }
            return ["flux2.base_model": base]
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

        @Argument(
            help: "The transformer to start from: a model's folder, or a checkpoint.",
            completion: .file())
        var base: String

        @Argument(help: "The transformer to arrive at.", completion: .file())
        var tuned: String

        @Option(help: "Rank of each weight's change.")
        var rank = 32

        @OptionGroup var output: LoRAOutputOptions

        /// The base by its name; where it is on this machine is nobody else's business.
        private var notes: [String: String] {
            guard let variant = Variant(named: base) else { return [:] }
            return ["flux2.base_model": variant.rawValue]
        }

        func run() throws {
            try withoutGradients {
                try output.check()
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
                try output.write(adapters, source: tuned, metadata: notes)
                print("most left out: \(Int((worst.error * 100).rounded())) % of \(worst.key)")
            }
        }
    }
}
