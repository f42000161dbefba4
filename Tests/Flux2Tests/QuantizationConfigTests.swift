@testable import Flux2
import Foundation
import Offloading
import TestSupport
import Testing

@Suite("What config.json says of weights in fewer bits")
struct QuantizationConfigTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func check(_ json: String, as name: String = "config.json") throws {
        try json.write(toFile: folder.file(name), atomically: true, encoding: .utf8)
        try WeightLoader.requireKnownFormats(in: folder.path)
    }

    private static func compressed(_ weights: String, _ more: String = "") -> String {
        """
        {"quant_method": "compressed-tensors", "format": "float-quantized", "ignore": ["lm_head"],
         "config_groups": {"group_0": {"targets": ["Linear"], "weights": {"num_bits": 8, "type": "float",
          "symmetric": true, "strategy": "tensor", "group_size": null, "dynamic": false,
          "observer_kwargs": {} \(weights)}, "input_activations": {"num_bits": 8}}},
         "quantization_status": "compressed" \(more)}
        """
    }

    @Test(arguments: [
        "null", "{}", compressed(""), compressed(#", "observer": "minmax""#),
        compressed(
            "", #", "kv_cache_scheme": null, "sparsity_config": {}, "transform_config": {}"#),
        #"{"quant_method": "modelopt", "quant_type": "INT8", "modules_to_not_convert": ["norm_out"]}"#,
        #"{"quant_method": "fp8", "activation_scheme": "static", "weight_block_size": null}"#,
    ])
    func whatIsKnownIsNoObstacle(_ config: String) throws {
        try check(#"{"num_layers": 2, "quantization_config": \#(config)}"#)
        try check(#"{"text_config": {"quantization_config": \#(config)}}"#)
        try check(#"{"use_quant_conv": true, "use_post_quant_conv": true}"#)
    }

    @Test(arguments: [
        (
            #"{"quant_method": "bitsandbytes", "bnb_4bit_quant_type": "nf4"}"#,
            "'bitsandbytes' ('nf4')"
        ),
        (#"{"quant_method": "sdnq", "weights_dtype": "uint4"}"#, "'sdnq' ('uint4')"),
        (#"{"quant_method": "quanto"}"#, "'quanto'"),
        (#"{"quant_method": "torchao"}"#, "'torchao'"),
        (#"{"group_size": 64, "bits": 4}"#, "bits"), ("[1]", "an array"), ("true", "true"),
        (compressed(#", "actorder": "group""#), "weights.actorder' says 'group'"),
        (compressed("", #", "transform_config": {"r1": 1}"#), "transform_config"),
        (compressed("", #", "sparsity_config": {"format": "sparse-24"}"#), "sparse-24"),
        (
            compressed("").replacingOccurrences(
                of: "\"symmetric\": true", with: "\"symmetric\": false"),
            "weights.symmetric' says false"
        ),
        (
            compressed("").replacingOccurrences(
                of: "\"num_bits\": 8, \"type\"", with: "\"num_bits\": 4, \"type\""),
            "weights.num_bits' says 4"
        ),
        (#"{"quant_method": "modelopt", "quant_algo": "NVFP4"}"#, "quant_algo' says 'NVFP4'"),
        (#"{"quant_method": "fp8", "weight_block_size": [128, 128]}"#, "weight_block_size"),
    ])
    func allElseIsNamed(_ config: String, _ words: String) throws {
        for text in [
            #"{"quantization_config": \#(config)}"#,
            #"{"text_config": {"quantization_config": \#(config)}}"#,
        ] {
            let error = #expect(throws: WeightError.self) { try check(text) }
            #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
            #expect(error?.file == folder.file("config.json"))
        }
    }

    @Test(arguments: [
        ("config.json", #"{"quantization": {"bits": 4}}"#, "'quantization'"),
        ("quantization_config.json", #"{"quant_method": "sdnq"}"#, "'sdnq'"),
        ("quantize_config.json", #"{"bits": 4}"#, "4"),
        ("hf_quant_config.json", #"{"quantization": {"quant_algo": "W4A16_AWQ"}}"#, "W4A16_AWQ"),
    ])
    func itIsLookedForWhereProgramsPutIt(_ name: String, _ json: String, _ words: String) throws {
        let error = #expect(throws: WeightError.self) { try check(json, as: name) }
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }

    @Test func aComponentIsNotOpenedBesideIt() throws {
        let model = try folder.model()
        let path = model + "/transformer/config.json"
        let old = try String(contentsOfFile: path, encoding: .utf8)
        let new = old.replacing(
            "{", with: #"{"quantization_config": {"quant_method": "sdnq"},"#, maxReplacements: 1)
        try new.write(toFile: path, atomically: true, encoding: .utf8)
        #expect(throws: WeightError.self) {
            try ComponentFile([model + "/transformer"], expected: .transformer)
        }
    }

    @Test(
        arguments: [
            ("Flux2KleinKVPipeline", true, "klein-9b-kv"), ("Flux2KleinKVPipeline", false, nil),
            ("Flux2KleinPipeline", true, nil), ("Flux2Pipeline", false, nil),
            ("QwenImagePipeline", false, "'QwenImagePipeline'"),
        ] as [(String, Bool, String?)])
    func theClassOfThePipelineIsLookedAt(_ name: String, references: Bool, words: String?) throws {
        let found = PipelineClass.remark(on: name, references: references)
        #expect((found == nil) == (words == nil))
        if let words { #expect(found?.contains(words) == true) }
        let model = try folder.model()
        let path = model + "/model_index.json"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        try text.replacing("Flux2KleinPipeline", with: name)
            .write(toFile: path, atomically: true, encoding: .utf8)
        #expect(try ModelFiles(model: model).pipelineClass == name)
        let inspected = try Inspection.of(model).first { $0.component == "transformer" }
        #expect((inspected?.model == "klein-9b-kv") == (name == "Flux2KleinKVPipeline"))
    }
}
