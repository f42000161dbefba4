public import ArgumentParser
import FileSupport
import Flux2
public import LoRA
import FluxModels
import Torch

struct LoRACommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lora", abstract: "Inspect, convert, merge and extract LoRAs.",
        subcommands: [Inspect.self, Convert.self, Merge.self, Extract.self])
}

/// Which model's names and shapes a LoRA is held against.
struct TargetOptions: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: """
            Model to match names and shapes with: its folder, or its transformer. Default: that of \
            flux2.base_model in the file, or a published one that fits.
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
        name: .shortAndLong, help: "File to write, .safetensors; for peft, a folder.",
        completion: .file())
    var output: String

    @Option(
        help: """
            Naming of the file; peft is a folder, as PEFT loads it. Default: diffsynth.
            """)
    var to: LoRADialect?

    @Flag(help: "Replace files that exist.")
    var force = false

    /// Refuses what could not be written before any work is done.
    func check() throws {
        try LoRAWriter.checkWritable(output, to ?? .diffsynth, overwrite: force)
    }

    /// What was written.
    struct Written: Encodable {
        var output: String
        var weights: Int
        /// Nil for a model with LoRAs merged in.
        var dialect: String?
        /// Of an extracted LoRA: the weight whose change it holds the least of, and the share that is
        /// left out.
        var worst: String?
        var leftOut: Double?

        var line: String {
            guard let dialect else {
                return "\(output): \(weights) weights changed; use it with --transformer"
            }
            return "\(output): \(weights) weights, named as by \(dialect)"
        }
    }

    /// - Parameter metadata: what the file shall say about itself.
    func write(
        _ adapters: [String: Adapter], source: String, metadata: [String: String]
    ) throws -> Written {
        let dialect = to ?? .diffsynth
        let writer = try LoRAWriter(
            adapters, dialect: dialect, source: source, metadata: metadata)
        let path = try writer.write(to: output, overwrite: force)
        return Written(output: path, weights: adapters.count, dialect: dialect.rawValue)
    }
}

extension LoRADialect: ExpressibleByArgument {}

extension LoRACommand {
    struct Convert: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Convert a LoRA to the naming of another program.",
            usage: "flux2 lora convert <file> -o <output> [<options>]",
            discussion: """
                Example:
                  flux2 lora convert style.safetensors --to comfyui -o comfy.safetensors
                """)

        @Argument(help: "The .safetensors file.", completion: .file())
        var file: String

        @OptionGroup var target: TargetOptions
        @OptionGroup var output: LoRAOutputOptions
        @OptionGroup var result: ResultOptions

        func run() throws {
            try withoutGradients {
                let file = try LoRAFile(path: file)
                let changes = try file.changes(for: target.targets(for: file).targets)
                try changes.requireAll(of: file)
                try output.check()
                let written = try output.write(
                    changes.adapters, source: file.path, metadata: file.metadata)
                try result.tell(written, result.report, [written.line])
            }
        }
    }

    struct Merge: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Merge LoRAs, with weights, into one, or into a model.",
            usage: "flux2 lora merge <files> ... -o <output> [<options>]",
            discussion: """
                Examples:
                  flux2 lora merge a.safetensors:0.7 b.safetensors -o both.safetensors
                  flux2 lora merge a.safetensors --into klein-4b -o merged.safetensors
                """)

        @Argument(help: "LoRAs as FILE or FILE:WEIGHT.", completion: .file())
        var files: [LoRAOptions.Reference]

        @Option(
            help: """
                Model to merge into: its folder, or its transformer. The output is a checkpoint for \
                --transformer, not a LoRA.
                """, completion: .directory)
        var into: String?

        @OptionGroup var target: TargetOptions
        @OptionGroup var output: LoRAOutputOptions
        @OptionGroup var result: ResultOptions

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
                let written = try output.write(
                    merged.adapters, source: files[0].path, metadata: Self.notes(bases))
                try result.tell(written, result.report, [written.line])
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
            let report = result.report
            try transformer.write(with: all, to: output.output, overwrite: output.force) {
                if $0 % 20 == 0 || $0 == $1 { report.notice("\($0) of \($1) weights") }
            }
            let count = Set(all.flatMap { $0.changes.adapters.keys }).count
            let written = LoRAOutputOptions.Written(output: output.output, weights: count)
            try result.tell(written, report, [written.line])
        }
    }
}
