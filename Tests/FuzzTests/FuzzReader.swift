@testable import Flux2
@testable import FluxCLI
import FileSupport
@testable import FluxModels
@testable import FluxTraining
import Foundation
import Checkpoints
import Imaging
@testable import LoRA
@testable import ModelHub
import Offloading
import TestSupport
import Tokenization
import Torch

/// A reader of this program, and files that it is tried on.
struct FuzzReader: Sendable {
    var name: String
    var form: FuzzForm
    /// Its share of all inputs; what takes longer gets fewer.
    var share = 1.0
    /// Files that are right, to be changed.
    var bases: @Sendable () throws -> [[UInt8]]
    /// Where the changed file goes, in a folder of its own.
    var file: String
    /// Files that lie around it.
    var prepare: @Sendable (_ folder: String) throws -> Void = { _ in }
    /// Reads the file; an error is an answer.
    var read: @Sendable (_ path: String) throws -> Void

    static let all = formats + images + configurations + training + listings

    private static func model(_ path: String) -> String { Reference.ownModel("tiny-klein/" + path) }

    private static func content(_ paths: String...) throws -> [[UInt8]] {
        try paths.map { try WholeFile.bytes($0) }
    }

    // MARK: Formats

    private static let formats = [
        FuzzReader(
            name: "safetensors", form: .safetensors, share: 3, bases: { try Bases.safetensors() },
            file: "a.safetensors",
            read: { path in
                let checkpoint = try Checkpoint(path: path)
                try StrictReader.check(path)
                try WeightLoader.requireKnownFormats(checkpoint)
                for name in checkpoint.names { _ = checkpoint[name]?.info.elementCount }
            }),
        FuzzReader(
            name: "shard index", form: .json, bases: { [Bases.index] },
            file: "a.safetensors.index.json",
            prepare: { folder in
                for name in ["a", "b"] {
                    try SafetensorsWriter.write(
                        to: "\(folder)/\(name).safetensors", tensors: [Bases.tensor(name)])
                }
            }, read: { _ = try Checkpoint(path: $0) }),
        FuzzReader(
            name: "gguf", form: .gguf, share: 3, bases: { [Bases.gguf()] }, file: "a.gguf",
            read: { path in
                let file = try GGUFFile(path: path)
                for tensor in file.tensors {
                    guard tensor.range.upperBound <= file.size,
                        tensor.range.lowerBound % file.alignment == 0
                    else { throw Unsound(what: "'\(tensor.name)' lies at \(tensor.range)") }
                }
            }),
        FuzzReader(
            name: "inspect", form: .gguf, share: 0.3, bases: { [Bases.gguf()] }, file: "a.gguf",
            read: { _ = try Inspection.of($0) }),
        FuzzReader(
            name: "lora", form: .safetensors, bases: { try Bases.loras() }, file: "a.safetensors",
            read: { path in
                let file = try LoRAFile(path: path)
                _ = try file.changes(
                    for: AdapterTargets(["transformer_blocks.0.attn.to_q.weight": [8, 4]]))
            }),
        FuzzReader(
            name: "tokenizer", form: .json, share: 0.05,
            bases: { try content(model("tokenizer/tokenizer.json")) }, file: "tokenizer.json",
            read: { path in
                let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
                let tokenizer = try Tokenizer(folder: folder)
                _ = try PromptTokenizer(tokenizer, format: .qwen3)
            }),
    ]

    // MARK: Images

    private static func fixture(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path
            + "/ImagingTests/Fixtures/" + name
    }

    private static let images =
        [
            (
                "png", FuzzForm.png,
                ["rgb.png", "palette-transparent.png", "interlaced.png", "rgb16.png"]
            ),
            ("jpeg", .bytes, ["progressive.jpg", "cmyk.jpg", "turned-6.jpg"]),
            ("webp", .bytes, ["lossy.webp", "lossless.webp", "alpha.webp", "turned.webp"]),
        ].map { name, form, files in
            FuzzReader(
                name: name, form: form,
                bases: { try files.map { try WholeFile.bytes(fixture($0)) } },
                file: "a." + name,
                read: { path in
                    _ = try Image.storedSize(of: path)
                    _ = try? Image.readMetadata(of: path)
                    _ = try Image(contentsOf: path)
                })
        } + [
            FuzzReader(
                name: "settings of an image", form: .png,
                bases: { [try Bases.imageWithSettings()] },
                file: "a.png",
                read: { path in
                    let settings = try GenerationMetadata(ofImage: path)
                    _ = try (settings.request(), settings.kernelSet(), settings.memory())
                    try settings.request().validate()
                })
        ]

    // MARK: Configurations

    /// A model whose other files are links to those of the tiny one.
    private static func linkModel(_ folder: String, but path: String) throws {
        for part in try FileManager.default.subpathsOfDirectory(atPath: model(""))
        where part != path {
            let (place, original) = (folder + "/" + part, model(part))
            var isFolder: ObjCBool = false
            _ = FileManager.default.fileExists(atPath: original, isDirectory: &isFolder)
            if isFolder.boolValue {
                try Folder.make(place)
            } else {
                try FileManager.default.createSymbolicLink(
                    atPath: place, withDestinationPath: original)
            }
        }
    }

    private static let configurations: [FuzzReader] =
        [
            "transformer/config.json", "vae/config.json", "text_encoder/config.json",
            "model_index.json",
        ]
        .map { path in
            FuzzReader(
                name: path, form: .json, share: 0.05, bases: { try content(model(path)) },
                file: path,
                prepare: { try linkModel($0, but: path) },
                read: { file in
                    let files = try ModelFiles(
                        model: String(file.dropLast(path.count + 1)), settings: nil)
                    _ = try Pipeline(files, device: .cpu, dtype: .float32)
                })
        } + [
            FuzzReader(
                name: "quantization_config", form: .json, bases: { [Bases.quantizationConfig] },
                file: "config.json",
                read: { path in
                    try WeightLoader.requireKnownFormats(
                        in: URL(fileURLWithPath: path).deletingLastPathComponent().path)
                }),
            FuzzReader(
                name: "vram configuration", form: .json, bases: { [Bases.storage] }, file: "a.json",
                read: { _ = try StageStorage.read($0, dtype: .float32, device: .cpu) }),
        ]

    // MARK: Hubs

    private static let listings: [FuzzReader] = [Hub.huggingFace, .modelScope].map { hub in
        FuzzReader(
            name: "listing of " + hub.title, form: .json, bases: { [Bases.listing(hub)] },
            file: "a.json",
            read: { path in
                let repository = try Repository("a/b")
                var reader = JSONReader(try WholeFile.bytes(path))
                let answer = try reader.document()
                let files =
                    hub == .huggingFace
                    ? try HuggingFaceAPI.files(answer, of: repository)
                    : try ModelScopeAPI.files(
                        ModelScopeAPI.entries(answer, of: repository), of: repository)
                try Snapshot(
                    hub: hub, repository: repository, revision: "main", commit: nil, files: files
                ).checkSizes()
                guard files.allSatisfy({ $0.size >= 0 }) else {
                    throw Unsound(what: "a size below 0")
                }
            })
    }

    // MARK: Training

    private static let training =
        [
            ("csv", Bases.csv, FuzzForm.table), ("json", Bases.rows, .json),
            ("jsonl", Bases.lines, .json),
        ]
        .map { kind, base, form in
            FuzzReader(
                name: "rows in " + kind, form: form, bases: { [base] }, file: "a." + kind,
                read: { _ = try Metadata(path: $0) })
        } + [
            FuzzReader(
                name: "recipe", form: .table, share: 0.1, bases: { [Bases.recipe] }, file: "a.yaml",
                read: { path in
                    let arguments = try ConfigExpansion.expanded(["train", "--config", path])
                    _ = try Train.parse(Array(arguments.dropFirst()))
                }),
            FuzzReader(
                name: "recipe in JSON", form: .json, share: 0.1, bases: { [Bases.recipeInJSON] },
                file: "a.json",
                read: { _ = try ConfigExpansion.expanded(["train", "--config", $0]) }),
            FuzzReader(
                name: "accelerate", form: .table, bases: { [Bases.accelerate] }, file: "a.yaml",
                read: { _ = try AccelerateFile(path: $0) }),
            FuzzReader(
                name: "training state", form: .safetensors, bases: { try Bases.state() },
                file: "training_state.safetensors",
                read: { _ = try TrainingState(path: $0) }),
            FuzzReader(
                name: "encoded sample", form: .safetensors, bases: { try Bases.sample() },
                file: "a.safetensors",
                read: { _ = try CachedSample(path: $0).load(dtype: .float32, device: .cpu) }),
            FuzzReader(
                name: "kept prompt", form: .safetensors, bases: { try Bases.prompt() },
                file: String(repeating: "a", count: 64) + ".safetensors",
                read: { path in
                    let file = URL(fileURLWithPath: path)
                    let key = file.deletingPathExtension().lastPathComponent
                    let cache = PromptCache(folder: file.deletingLastPathComponent().path)
                    guard let found = try cache.features(key, shape: [1, 2, 3], dtype: .float32),
                        try found.values(as: Float.self) != Bases.features
                    else { return }
                    throw Unsound(what: "other features are believed")
                }),
            FuzzReader(
                name: "digest of a kept file", form: .json, bases: { try Bases.seal() },
                file: "a.digest",
                prepare: { try AtomicFile.write($0 + "/a", bytes: [1, 2, 3]) },
                read: { _ = SealedFile.state(of: String($0.dropLast(7))) }),
        ]
}

/// Something was accepted that no reader of the format may accept.
struct Unsound: Error {
    var what: String
}
