import ArgumentParser
import FileSupport
import Flux2
import FluxModels
import FluxTraining
import Foundation

struct TrainNew: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new", _superCommandName: "flux2 train",
        abstract: "Give a model that is only configurations random weights to start from.",
        usage: """
            flux2 train new <model> [<options>]
            flux2 train new -m <model> [<options>]
            """,
        discussion: """
            The folder has the hub's layout, with a config.json for transformer, text_encoder and vae. \
            Weights are written beside them, or with --output into a copy.
            """,
        version: Version.current)

    @Argument(
        help: .init("Folder of the model.", valueName: "model"), completion: .directory)
    var folder: String?

    @Option(name: .shortAndLong, help: "The same as <model>.", completion: .directory)
    var model: String?

    @Option(
        name: .shortAndLong,
        help: "Folder to write: a copy with weights. Default: the model's own.",
        completion: .directory)
    var output: String?

    @Option(help: "Seed of the weights; -1 draws one and prints it.")
    var seed = Seed.fixed(0)

    @Flag(help: "Replace weights that exist; with --output, the whole folder.")
    var force = false

    @OptionGroup var result: ResultOptions

    /// The object that `--json` prints.
    private struct Summary: Encodable {
        var output: String
        var seed: UInt64
        /// Values by component.
        var values: [String: Int]

        /// - Parameter isDrawn: whether nobody knows the seed yet.
        func lines(isDrawn: Bool) -> [String] {
            (isDrawn ? ["seed \(seed)"] : [])
                + values.sorted { $0.key < $1.key }.map { component, count in
                    "\(output)/\(component): \(count) values, " + Terminal.bytes(2 * count)
                }
        }
    }

    func validate() throws { _ = try place() }

    private func place() throws -> String {
        try Positions.values(of: [.init(name: "model", named: model)], words: [folder])[0]
    }

    func run() throws {
        let (folder, drawn) = (try place(), seed.value ?? GenerationRequest.anySeed())
        let counts = try written(folder, seed: drawn)
        let summary = Summary(
            output: output ?? folder, seed: drawn,
            values: Dictionary(uniqueKeysWithValues: counts.map { ($0.key.rawValue, $0.value) }))
        try result.tell(summary, result.report, summary.lines(isDrawn: seed == .drawn))
    }

    private func written(_ folder: String, seed: UInt64) throws -> [Component: Int] {
        guard let output else {
            return try NewModel(folder: folder).write(seed: seed, overwrite: force)
        }
        let files = try ModelCopy(of: folder, output)
        _ = try NewModel(folder: folder)
        return try AtomicFolder.write(output, overwrite: force) { draft in
            try files.copy(to: draft)
            return try NewModel(folder: draft).write(seed: seed)
        }
    }
}

/// What a model's folder holds besides weights.
private struct ModelCopy {
    private let folder: String
    private let names: [String]

    /// - Throws: `ValidationError` for a copy that would lie in what is copied, or replace other files.
    init(of folder: String, _ output: String) throws {
        let (source, target) = (Self.whole(folder), Self.whole(output))
        guard !target.hasPrefix(source), !source.hasPrefix(target) else {
            throw ValidationError("--output \(output) and \(folder) lie in one another")
        }
        try Self.requireModel(in: output)
        self.folder = folder
        let all = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
        let weights = [".safetensors", ".safetensors.index.json", ".gguf", ".bin"]
        names = all.filter { name in !weights.contains(where: name.hasSuffix) }
    }

    private static func whole(_ path: String) -> String {
        URL(fileURLWithPath: path).resolvingSymlinksInPath().path + "/"
    }

    /// Refuses a folder that is there and holds anything else: it would be lost as a whole.
    private static func requireModel(in folder: String) throws {
        let marks = ["model_index.json", "transformer/config.json"].map { "\(folder)/\($0)" }
        let exists = FileManager.default.fileExists(atPath:)
        guard !exists(folder) || marks.contains(where: exists) else {
            throw ValidationError("--output \(folder): is no model's folder, and is not replaced")
        }
    }

    func copy(to target: String) throws {
        for name in names.sorted() {
            var isFolder: ObjCBool = false
            _ = FileManager.default.fileExists(atPath: "\(folder)/\(name)", isDirectory: &isFolder)
            guard !isFolder.boolValue else { continue }
            try Folder.make(for: "\(target)/\(name)")
            try AtomicFile.write(
                "\(target)/\(name)", bytes: WholeFile.bytes("\(folder)/\(name)"), overwrite: false)
        }
    }
}
