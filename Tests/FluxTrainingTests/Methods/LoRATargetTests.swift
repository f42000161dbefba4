import FluxModels
import FluxTraining
import Foundation
import TestSupport
import Testing

@Suite("LoRA targets")
struct LoRATargetTests {
    /// What the published commands name.
    static func published(singleBlocks: Int) -> LoRATargets {
        LoRATargets(
            "to_q,to_k,to_v,to_out.0,add_q_proj,add_k_proj,add_v_proj,to_add_out,linear_in,"
                + "linear_out,to_qkv_mlp_proj,"
                + (0..<singleBlocks).map { "single_transformer_blocks.\($0).attn.to_out" }
                .joined(separator: ","))
    }

    private static func golden(_ name: String) throws -> Any {
        try JSONSerialization.jsonObject(
            with: Data(
                contentsOf: URL(
                    fileURLWithPath: Reference.path("goldens/loading/\(name).json"))))
    }

    private static func tiny() throws -> TensorShapes {
        let (_, parameters) = try TinyModel("tiny-klein").transformerWithParameters()
        return Dictionary(parameters.map { ($0.key, $0.shape) }) { first, _ in first }
    }

    private static func layers(_ targets: LoRATargets, _ shapes: TensorShapes) throws -> [String] {
        try targets.keys(among: shapes).map { String($0.dropLast(".weight".count)) }
    }

    @Test(arguments: [
        (PublishedTransformer.klein4B, "FLUX.2-klein-4B", 100), (.klein9B, "FLUX.2-klein-9B", 144),
        (.dev, "FLUX.2-dev", 192),
    ])
    func automaticOnesAreThoseOfTheReference(
        _ model: PublishedTransformer, _ name: String, _ count: Int
    ) throws {
        let all = try #require(Self.golden("published_models") as? [String: Any])
        let models = try #require(all["automatic_lora_targets"] as? [String: [String: Any]])
        let listed = try #require(models[name]?["names"] as? [String])
        let found = try Self.layers(LoRATargets(""), model.shapes)
        #expect(found.count == count && models[name]?["count"] as? Int == count)
        // The golden names the first and the last of large models.
        #expect(Set(listed).subtracting(found).isEmpty)
        // The published commands come to the same.
        let blocks = model.configuration.singleBlockCount
        #expect(try Self.layers(Self.published(singleBlocks: blocks), model.shapes) == found)
    }

    @Test func thePublishedListTakesTheReferencesLayersOfTheTinyModel() throws {
        let names = try #require(Self.golden("lora_target_names_tiny") as? [String])
        #expect(try Self.layers(Self.published(singleBlocks: 3), Self.tiny()) == names.sorted())
        // Blocks that a smaller model does not have are no error, as in PEFT.
        #expect(try Self.layers(Self.published(singleBlocks: 20), Self.tiny()) == names.sorted())
    }

    @Test func aSingleEntryIsAnExpressionForWholeNames() throws {
        let shapes = try Self.tiny()
        #expect(
            try Self.layers(LoRATargets(#".*\.attn\.to_[qk]"#), shapes)
                == ["0.attn.to_k", "0.attn.to_q", "1.attn.to_k", "1.attn.to_q"]
                .map { "transformer_blocks." + $0 })
        #expect(throws: LoRATargetError.self) { try LoRATargets("to_q").keys(among: shapes) }
        #expect(throws: LoRATargetError.self) { try LoRATargets("(").keys(among: shapes) }
    }

    @Test func alternativesOfAnExpressionMatchTheWholeName() throws {
        let found = try Self.layers(
            LoRATargets(#"x_embedder|.*\.0\.attn\.to_out|proj_out"#), Self.tiny())
        #expect(
            found == ["proj_out", "single_transformer_blocks.0.attn.to_out", "x_embedder"])
    }

    @Test func namesEndBehindADot() throws {
        let found = try Self.layers(LoRATargets("linear,o_q,proj_out"), Self.tiny())
        #expect(found.allSatisfy { $0.hasSuffix(".linear") || $0 == "proj_out" })
        #expect(found.contains("norm_out.linear") && found.contains("proj_out"))
    }

    @Test func aListOfLayersIsNoLayer() throws {
        let error = #expect(throws: LoRATargetError.self) {
            try LoRATargets("to_q,to_out").keys(among: Self.tiny())
        }
        #expect(
            error?.description.contains(
                "'to_out' is no linear layer, it holds 'transformer_blocks.0.attn.to_out.0'")
                == true)
    }

    @Test func theDefaultOfOtherModelsMatchesNothing() throws {
        let error = #expect(throws: LoRATargetError.self) {
            try LoRATargets("q,k,v,o,ffn.0,ffn.2").keys(among: Self.tiny())
        }
        #expect(error?.description.contains("q,k,v,o,ffn.0,ffn.2") == true)
        #expect(error?.description.contains("such as add_k_proj,add_q_proj,add_v_proj,") == true)
        #expect(error?.description.contains(",to_out.0,") == true)
        let large = #expect(throws: LoRATargetError.self) {
            try LoRATargets("q,k").keys(among: PublishedTransformer.klein4B.shapes)
        }
        #expect(
            large?.description.contains("write \"\" for all matrices of blocks, or names") == true)
    }

    @Test func blanksAroundNamesDoNotCount() throws {
        #expect(LoRATargets(" to_q, to_k ,to_v,") == .names(["to_q", "to_k", "to_v"]))
        #expect(LoRATargets(#" .*\.to_q "#) == .expression(#".*\.to_q"#))
        #expect(LoRATargets(" , ") == .automatic)
    }

    @Test func namesThatNoLayerHasAreKnown() throws {
        let tiny = try Self.tiny()
        #expect(LoRATargets("to_q,to_z,to_k").unmatched(among: tiny) == ["to_z"])
        #expect(Self.published(singleBlocks: 3).unmatched(among: tiny).isEmpty)
        #expect(Self.published(singleBlocks: 5).unmatched(among: tiny).count == 2)
    }

    @Test func aTableOfEmbeddingsIsNoLayer() throws {
        let shapes = ["embed_tokens.weight": [8, 4], "layers.0.self_attn.q_proj.weight": [4, 4]]
        #expect(try LoRATargets(".*").keys(among: shapes) == ["layers.0.self_attn.q_proj.weight"])
    }

    @Test func aTinyModelHasNoAutomaticTargets() throws {
        #expect(throws: LoRATargetError.self) { try LoRATargets("").keys(among: Self.tiny()) }
    }
}
