import FluxModels
import TestSupport
import Testing
import Torch

extension GoldenTests {
    @Suite("The transformer reproduces the reference")
    struct Transformer {
        @Test func everyCaseAgrees() throws {
            try runGoldens("transformer") { golden in
                let model = try TinyModel(#require(golden.string("model"))).transformer()
                let input = try TransformerGolden.input(golden, model)
                if golden.outputs.contains("with_both") {
                    try optionalInputs(golden, model, input)
                    return
                }
                let velocity = try model(input) { module, output in
                    if golden.outputs.contains(module) { try golden.expect(output, module) }
                }
                #expect(velocity.dtype == golden.dtype)
                try golden.expect(velocity, "model_output")
            }
        }

        /// Additional text tokens, and keys and values that blocks look at besides their own.
        private func optionalInputs(
            _ golden: Golden, _ model: FluxTransformer, _ plain: TransformerInput
        ) throws {
            var caches: [String: KeyValue] = [:]
            for name in golden.names where name.hasPrefix("in.kv.") && name.hasSuffix(".k") {
                let block = String(name.dropFirst("in.kv.".count).dropLast(".k".count))
                caches[block] = try KeyValue(
                    keys: golden.input("kv.\(block).k"), values: golden.input("kv.\(block).v"))
            }
            #expect(!caches.isEmpty)
            let extra = try golden.input("extra_text_embedding")
            let longer = try TransformerGolden.input(golden, model, extraText: extra)
            for (name, base, caches) in [
                ("with_extra_text", longer, [:]), ("with_kv_cache", plain, caches),
                ("with_both", longer, caches),
            ] {
                var input = base
                input.caches = caches
                try golden.expect(model(input), name)
            }
        }
    }

    @Suite("8-bit weights reproduce the reference")
    struct Float8 {
        @Test func everyCaseAgrees() throws {
            try runGoldens("fp8") { golden in
                let model = try TinyModel("tiny-klein-fp8").transformer()
                let half = try model(TransformerGolden.input(golden, model))
                for name in ["from_bf16_file", "from_fp8_file", "plain_load"] {
                    try golden.expect(half, name)
                }
                let full = try model(
                    TransformerGolden.input(golden, model, dtype: .float32))
                try golden.expect(full, "computed_in_f32")
            }
        }
    }
}

enum TransformerGolden {
    /// The input that a golden describes.
    static func input(
        _ golden: Golden, _ model: FluxTransformer, extraText: Tensor? = nil,
        dtype: DType? = nil
    ) throws -> TransformerInput {
        let dtype = dtype ?? golden.dtype
        func read(_ key: String) throws -> Tensor { try golden.input(key).to(dtype: dtype) }
        let hasReferences = golden.has("in.edit_latents")
        var text = try read("prompt_embeds")
        var ids = [try golden.input("text_ids")]
        if let extraText {
            let count = text.size(1) + extraText.size(1)
            text = try .concatenating([text, extraText.to(dtype: dtype)], along: 1)
            ids = [try Positions.text(count).to(dtype: .int32).unsqueezed(0)]
        }
        ids.append(try golden.input("image_ids"))
        if hasReferences { ids.append(try golden.input("edit_image_ids")) }
        let configuration = model.configuration
        return try TransformerInput(
            latents: read("latents"), references: hasReferences ? read("edit_latents") : nil,
            text: text, sigma: read("timestep") / 1000,
            guidance: golden.number("embedded_guidance") ?? 4,
            rotary: RotaryTable(
                positions: .concatenating(ids, along: 1).squeezed(0),
                axes: configuration.rotaryAxes, theta: configuration.rotaryTheta))
    }
}
