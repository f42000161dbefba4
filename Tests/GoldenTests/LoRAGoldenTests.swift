@testable import Flux2
import FluxModels
import Foundation
import LoRA
import TestSupport
import Testing
import Torch

extension GoldenTests {
    @Suite("LoRAs reproduce the reference")
    struct LoRAs {
        @Test func inEveryNaming() throws {
            let errors = try Self.errorsOfTheReference()
            try runGoldens("lora", where: { $0 != "support" }) { golden in
                let tiny = try TinyModel(#require(golden.string("model")))
                let (model, parameters) = try tiny.transformerWithParameters()
                let input = try TransformerGolden.input(golden, model)
                let bank = LoRAManager(parameters, dtype: golden.dtype, device: .cpu)
                let file = try Reference.path(#require(golden.string("file")))
                func run(_ uses: [LoRAUse], _ mode: LoRAUse.Mode) throws -> Tensor {
                    try bank.read(uses) { _ in }
                    try bank.fuse(uses, mode: mode)
                    bank.activate(uses, mode: mode, for: .conditional)
                    return try model(input)
                }
                func use(_ strength: Double = 1) -> [LoRAUse] {
                    [LoRAUse(path: file, strength: strength)]
                }
                try golden.expect(run(use(), .hot), "expected")
                try golden.expect(run(use(), .fused), "expected")
                let name = String(
                    golden.name.split(separator: "_").dropLast().joined(separator: "_"))
                let slack = errors[name] ?? 0
                for (output, uses, mode) in [
                    ("without_lora", [], .hot), ("fused", use(), .fused),
                    ("fused_strength_0.6", use(0.6), .fused), ("adapter", use(), .hot),
                    ("hot_strength_0.6", use(0.6), .hot), ("hot_cleared", [], .hot),
                    (
                        "fused_then_comfy_alpha_at_-0.4",
                        use(0.6) + [Self.other(strength: -0.4)], .fused
                    ),
                ] as [(String, [LoRAUse], LoRAUse.Mode)] where golden.outputs.contains(output) {
                    try golden.expect(
                        run(uses, mode), output, slack: output == "adapter" ? slack : 0)
                }
                let first = "fused_weight_first_layer"
                if golden.outputs.contains(first) {
                    _ = try run(use(), .fused)
                    let parameter = try #require(
                        parameters.first { $0.key == "transformer_blocks.0.attn.to_q.weight" })
                    try golden.expect(
                        parameter.value(like: .empty([0], dtype: golden.dtype)), first)
                }
            }
        }

        private static func other(strength: Double) -> LoRAUse {
            LoRAUse(
                path: Reference.path("inputs/lora/comfy_alpha.safetensors"), strength: strength)
        }

        /// How far diffusers itself is from the exact result, by file.
        private static func errorsOfTheReference() throws -> [String: Double] {
            let golden = try Golden("lora", "support")
            return golden.json.compactMapValues {
                ($0 as? [String: Any])?["adapter_vs_expected_rel_l2"] as? Double
            }
        }
    }
}
