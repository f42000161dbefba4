import FluxModels
import Foundation
import LoRA
import Offloading
import Checkpoints
import TestSupport
import Testing
import Torch

/// Files and changed weights come from the packages peft and lycoris-lora; see
/// `Tests/Reference/make_adapter_vectors.py`.
@Suite("Kinds of adapters are what their packages mean")
struct AdapterTests {
    static let kinds: [String] =
        (try? FileManager.default.contentsOfDirectory(atPath: Reference.own + "/goldens/adapters"))?
        .filter { $0.hasSuffix(".safetensors") }.map { String($0.dropLast(12)) }.sorted() ?? []

    @Test func thereAreSome() { #expect(Self.kinds.count >= 10) }

    @Test(arguments: kinds)
    func foldedInAndBesideTheWeight(kind: String) throws {
        try withoutGradients {
            let (_, parameters) = try TinyModel(path: Reference.ownModel("tiny-klein"))
                .transformerWithParameters()
            let targets = AdapterTargets(
                Dictionary(parameters.map { ($0.key, $0.shape) }) { first, _ in first })
            let file = try LoRAFile(path: Reference.own + "/inputs/adapters/\(kind).safetensors")
            let changes = try file.changes(for: targets)
            #expect(changes.unmatched.isEmpty)
            let golden = try SafetensorsFile(
                path: Reference.own + "/goldens/adapters/\(kind).safetensors")
            #expect(changes.adapters.count == golden.tensors.count)
            for info in golden.tensors {
                let expected = try Tensor.mapped(info, of: golden)
                let key = info.name + ".weight"
                let parameter = try #require(parameters.first { $0.key == key })
                let adapter = try #require(changes.adapters[key])
                    .to(dtype: .float32, device: .cpu)
                let weight = try parameter.value(like: expected)
                try expectClose(adapter.merged(into: weight), expected, "\(kind), folded in")
                try expectClose(
                    beside(weight, adapter), expected.transposed(0, 1), "\(kind), beside")
                adapter.strength = 0.5
                let half = try (expected + weight) * 0.5
                try expectClose(adapter.merged(into: weight), half, "\(kind), half folded in")
                try expectClose(
                    beside(weight, adapter), half.transposed(0, 1), "\(kind), half beside")
            }
        }
    }

    /// What a layer with the adapter makes of the unit vectors: the changed weight, transposed.
    private func beside(_ weight: Tensor, _ adapter: Adapter) throws -> Tensor {
        let layer = Linear(Scope()["x"], from: weight.size(1), to: weight.size(0))
        try layer.weight.load(weight)
        layer.weight.adapters = [adapter]
        let units = try (0..<weight.size(1)).map { place in
            try Tensor.arange(to: Double(weight.size(1))).equal(to: Double(place))
                .to(dtype: .float32)
        }
        return try layer(.stacking(units, along: 0))
    }

    private func expectClose(
        _ found: Tensor, _ expected: Tensor, _ label: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let distance = try (found - expected).square().sum().item().squareRoot()
        let norm = try expected.square().sum().item().squareRoot()
        #expect(distance / norm < 2e-6, "\(label)", sourceLocation: sourceLocation)
    }
}

@Suite("LoRA files that cannot be used")
struct LoRARefusalTests {
    private let folder: TemporaryFolder
    private let targets = AdapterTargets(["transformer_blocks.0.attn.to_q.weight": [8, 4]])

    init() throws { folder = try TemporaryFolder() }

    private func file(_ tensors: [String: Tensor]) throws -> String {
        let path = folder.file("x.safetensors")
        try SafetensorsWriter.write(
            to: path,
            tensors: tensors.sorted { $0.key < $1.key }.map { key, tensor in
                TensorToWrite(
                    name: key, type: try #require(ElementType(tensor.dtype)), shape: tensor.shape,
                    bytes: try tensor.contiguous().withBytes { Array($0) })
            }, requiresFinite: false)
        return path
    }

    private func pair(_ module: String, down: [Int] = [2, 4], up: [Int] = [8, 2]) throws -> [String:
        Tensor]
    {
        [
            "\(module).lora_A.weight": try .ones(down), "\(module).lora_B.weight": try .ones(up),
        ]
    }

    private func refusal(_ tensors: [String: Tensor]) throws -> String {
        let path = try file(tensors)
        let error = #expect(throws: LoRAError.self) {
            _ = try LoRAFile(path: path).changes(for: targets)
        }
        let line = try #require(error).description
        #expect(line.hasPrefix(path + ": "))
        #expect(!line.contains("\n"))
        return line
    }

    private static let query = "transformer_blocks.0.attn.to_q"

    @Test func withoutAnyChange() throws {
        #expect(try refusal(["a.weight": .ones([2])]).contains("expected the weights of a LoRA"))
    }

    @Test func ofAnotherModel() throws {
        #expect(try refusal(pair("down_blocks.0.attn.to_q")).contains("none of its 1 modules"))
        #expect(
            try refusal(pair(Self.query, down: [2, 6])).contains("[8, 6], the model's is [8, 4]"))
    }

    @Test func ofRanksThatDoNotMatch() throws {
        #expect(try refusal(pair(Self.query, up: [8, 3])).contains("cannot be multiplied"))
    }

    @Test func withValuesThatAreNotFinite() throws {
        var tensors = try pair(Self.query)
        tensors["\(Self.query).lora_B.weight"] = try .full([8, 2], .nan)
        #expect(try refusal(tensors).contains("\(Self.query).lora_B.weight' holds values"))
    }

    @Test func withHalfAPair() throws {
        var tensors = try pair(Self.query)
        tensors["\(Self.query).lora_B.weight"] = nil
        #expect(try refusal(tensors).contains("'\(Self.query)' lacks its up"))
    }

    @Test func withTwoAdaptersOfOneModule() throws {
        var tensors: [String: Tensor] = [:]
        for name in ["face", "style"] {
            tensors["\(Self.query).lora_A.\(name).weight"] = try .ones([2, 4])
            tensors["\(Self.query).lora_B.\(name).weight"] = try .ones([8, 2])
        }
        let line = try refusal(tensors)
        #expect(line.contains("has two adapters") && line.contains("'face'"), "\(line)")
    }

    @Test func withTwoTensorsForOnePlace() throws {
        let forms: [[String: Tensor]] = [
            // One part under two names, and two forms of one change.
            ["\(Self.query).lora_down.weight": try .ones([2, 4])],
            ["\(Self.query).diff": try .ones([8, 4])],
            ["\(Self.query).hada_w1_a": try .ones([8, 2])],
            // One module under two names.
            try pair("transformer." + Self.query),
            try pair("diffusion_model.double_blocks.0.img_attn.qkv", up: [24, 2]),
            try pair("lora_unet_transformer_blocks_0_attn_to_q"),
        ]
        for more in forms {
            let line = try refusal(pair(Self.query).merging(more) { first, _ in first })
            #expect(line.contains("is changed twice, by '"), "\(line)")
        }
    }

    @Test func ofFlux1() throws {
        let names = [
            "lora_unet_single_blocks_0_modulation_lin",
            "diffusion_model.double_blocks.3.img_mod.lin",
            "transformer.single_transformer_blocks.0.proj_mlp",
            "transformer.single_transformer_blocks.1.attn.to_q",
            "lora_unet_double_blocks_18_img_attn_proj",
        ]
        for name in names {
            let line = try refusal(pair(Self.query).merging(pair(name)) { first, _ in first })
            #expect(line.contains("is a LoRA of FLUX.1") && line.contains(name), "\(line)")
        }
        // A larger FLUX.2 than is known is none of FLUX.1.
        let larger = try pair("transformer_blocks.18.attn.to_q")
            .merging(pair("single_transformer_blocks.0.attn.to_qkv_mlp_proj")) { first, _ in first }
        let tensors = try pair(Self.query).merging(larger) { first, _ in first }
        #expect(try LoRAFile(path: file(tensors)).moduleOfFlux1 == nil)
    }

    @Test func modulesOfBlocksThatAreLostAreCounted() throws {
        let lost = ["transformer_blocks.3.attn.to_q", "lora_unet_single_blocks_2_linear1"]
        var tensors = try pair(Self.query).merging(pair("time_embed.x")) { first, _ in first }
        for name in lost { try tensors.merge(pair(name)) { first, _ in first } }
        let loaded = try LoRAFile(path: file(tensors))
        let changes = try loaded.changes(for: targets)
        #expect(changes.unmatched.count == 3)
        let error = #expect(throws: LoRAError.self) {
            try loaded.requireAllBlocks(without: changes.unmatched)
        }
        #expect(error?.description.contains("2 of its 3 modules of transformer blocks") == true)
        // What lies outside the blocks is for a warning.
        try loaded.requireAllBlocks(without: ["time_embed.x"])
    }

    @Test func shapesComeFromTheFileWhereNoModelIsKnown() throws {
        let tensors = try pair("diffusion_model.double_blocks.1.img_attn.qkv", up: [24, 2])
            .merging(pair("lora_unet_single_blocks_0_linear1")) { first, _ in first }
            .merging(pair("down_blocks.3.x")) { first, _ in first }
        let loaded = try LoRAFile(path: file(tensors))
        let found = try AdapterTargets(namedIn: loaded).shapes
        #expect(
            found == [
                "transformer_blocks.1.attn.to_q.weight": [8, 4],
                "transformer_blocks.1.attn.to_k.weight": [8, 4],
                "transformer_blocks.1.attn.to_v.weight": [8, 4],
                "single_transformer_blocks.0.attn.to_qkv_mlp_proj.weight": [8, 4],
            ])
        let changes = try loaded.changes(for: AdapterTargets(namedIn: loaded))
        #expect(changes.adapters.count == 4 && changes.unmatched == ["down_blocks.3.x"])
    }

    @Test func ofIntegers() throws {
        var tensors = try pair(Self.query)
        tensors["\(Self.query).lora_A.weight"] = try .ones([2, 4], dtype: .int32)
        #expect(try refusal(tensors).contains("not supported"))
    }

    @Test func partsThatAreNotTheModelsAreNamedWhileTheRestWorks() throws {
        let tensors = try pair(Self.query).merging(pair("down_blocks.3.x")) { first, _ in first }
            .merging(pair("text_encoder.layers.0.q_proj")) { first, _ in first }
        let loaded = try LoRAFile(path: file(tensors))
        #expect(loaded.textEncoderTensors.count == 2)
        let changes = try loaded.changes(for: targets)
        #expect(changes.adapters.keys.sorted() == [Self.query + ".weight"])
        #expect(changes.unmatched == ["down_blocks.3.x"])
        #expect(changes.ignoredTensors == 2)
    }

    @Test(arguments: [
        "pipe.text_encoder_qwen3.model.", "text_encoder.", "text_encoder.model.",
        "base_model.model.model.", "",
    ])
    func ofATextEncoderAreFoundUnderAllTheirNames(_ prefix: String) throws {
        let encoder = AdapterTargets(["layers.0.self_attn.q_proj.weight": [8, 4]])
        let changes = try LoRAFile(path: file(pair(prefix + "layers.0.self_attn.q_proj")))
            .changes(for: encoder)
        #expect(Array(changes.adapters.keys) == ["layers.0.self_attn.q_proj.weight"])
    }
}
