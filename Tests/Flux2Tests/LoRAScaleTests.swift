import Foundation
import LoRA
import Offloading
import Checkpoints
import TestSupport
import Testing
import Torch

@Suite("Scales of LoRAs are read as PEFT and diffusers write them")
struct LoRAScaleTests {
    private let folder: TemporaryFolder
    private let targets: AdapterTargets
    private let query = "transformer_blocks.0.attn.to_q"
    private let key = "transformer_blocks.0.attn.to_k"

    init() throws {
        folder = try TemporaryFolder()
        targets = try AdapterTargets(model: Reference.ownModel("tiny-klein"))
    }

    /// A file with matrices of rank 2 for modules, and what else is given.
    private func write(
        _ name: String, prefix: String, _ modules: [String], more: [String: [Int]] = [:],
        metadata: [String: String] = [:]
    ) throws -> String {
        var shapes = more
        for module in modules {
            let shape = try #require(targets.shapes[module + ".weight"])
            shapes[prefix + module + ".lora_A.weight"] = [2, shape[1]]
            shapes[prefix + module + ".lora_B.weight"] = [shape[0], 2]
        }
        let path = folder.file(name)
        try SafetensorsWriter.write(
            to: path,
            tensors: shapes.sorted { $0.key < $1.key }.map { name, shape in
                let one = withUnsafeBytes(of: Float(0.5).bitPattern.littleEndian, Array.init)
                return TensorToWrite(
                    name: name, type: .F32, shape: shape,
                    bytes: (0..<shape.reduce(1, *)).flatMap { _ in one })
            }, metadata: metadata)
        return path
    }

    private func config(_ text: String) throws {
        try text.write(
            toFile: folder.file("adapter_config.json"), atomically: true, encoding: .utf8)
    }

    private func scales(_ path: String) throws -> [String: Double] {
        try LoRAFile(path: path).changes(for: targets).adapters.mapValues(\.scale)
    }

    @Test func theFirstPatternThatFitsCounts() throws {
        let path = try write(
            "adapter_model.safetensors", prefix: "base_model.model.", [query, key])
        try config(
            """
            {"r": 2, "lora_alpha": 2, "alpha_pattern":
             {"attn.to_q": 1, "to_q": 9, "0.attn.to_q": 7, "transformer_blocks.0.attn.to_q": 5}}
            """)
        for _ in 0..<20 {
            #expect(try scales(path) == [query + ".weight": 0.5, key + ".weight": 1])
        }
    }

    @Test func patternsAreRegularExpressions() throws {
        let path = try write(
            "adapter_model.safetensors", prefix: "base_model.model.", [query, key])
        try config(
            #"{"r": 2, "lora_alpha": 2, "alpha_pattern": {"^transformer_blocks\\.\\d+\\.attn\\.to_q": 9, "to_(k|v)": 4}}"#
        )
        #expect(try scales(path) == [query + ".weight": 4.5, key + ".weight": 2])
        try config(#"{"r": 2, "lora_alpha": 2, "alpha_pattern": {"to_(q": 9}}"#)
        let error = #expect(throws: LoRAError.self) { try scales(path) }
        #expect(
            error?.description.contains(
                "adapter_config.json: the pattern 'to_(q' is no regular expression") == true)
    }

    @Test func settingsOfOneFileAreNotThoseOfItsNeighbors() throws {
        let style = try write("style.safetensors", prefix: "transformer.", [query])
        try config(#"{"r": 2, "lora_alpha": 5}"#)
        #expect(try scales(style) == [query + ".weight": 1])
        let own = try write("adapter_model.safetensors", prefix: "", [query])
        #expect(try scales(own) == [query + ".weight": 2.5])
        let raw = try write("raw.safetensors", prefix: "base_model.model.", [query])
        #expect(try scales(raw) == [query + ".weight": 2.5])
    }

    @Test func biasesAreRefused() throws {
        let path = try write(
            "bias.safetensors", prefix: "transformer.", [query],
            more: ["transformer.\(query).lora_B.bias": [64]])
        let error = #expect(throws: LoRAError.self) { try scales(path) }
        #expect(error?.description.contains("'transformer.\(query)' with a bias") == true)
    }

    /// Without them diffusers cannot make the layers that the file is for.
    @Test func diffusersIsToldTheTargets() throws {
        let changes = try LoRAFile(
            path: write("a.safetensors", prefix: "transformer.", [query, key])
        ).changes(for: targets)
        let path = folder.file("b.safetensors")
        try LoRAWriter(changes.adapters, dialect: .diffusers, source: "a").write(
            to: path, overwrite: false)
        let text = try #require(
            SafetensorsFile(path: path).metadata["lora_adapter_metadata"])
        let fields = try #require(
            try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        #expect(fields["transformer.target_modules"] as? [String] == [key, query])
    }

    @Test func aProjectionOfScaleZeroIsWrittenAsSuch() throws {
        var metadata = #"{"transformer.r": 2, "transformer.lora_alpha": 2, "#
        metadata += #""transformer.alpha_pattern": {"to_q": 0, "to_k": 5}}"#
        let value = "transformer_blocks.0.attn.to_v"
        let source = try write(
            "zero.safetensors", prefix: "transformer.", [query, key, value],
            metadata: ["lora_adapter_metadata": metadata])
        let adapters = try LoRAFile(path: source).changes(for: targets).adapters
        var files: Set<Data> = []
        for round in 0..<6 {
            let path = folder.file("\(round).safetensors")
            try LoRAWriter(adapters, dialect: .kohya, source: source).write(
                to: path, overwrite: false)
            files.insert(try Data(contentsOf: URL(fileURLWithPath: path)))
        }
        #expect(files.count == 1)
        let read = try LoRAFile(path: folder.file("0.safetensors")).changes(for: targets).adapters
        for (name, adapter) in adapters {
            let shape = try #require(targets.shapes[name])
            let found = try #require(read[name])
            let zero = try Tensor.zeros(shape)
            try #expect(
                found.merged(into: zero).isEqual(to: adapter.merged(into: zero)), "\(name)")
        }
    }
}
