import FluxModels
import TestSupport
import Testing
import Torch

extension GoldenTests {
    @Suite("Text encoders reproduce the reference")
    struct Prompt {
        @Test func everyCaseAgrees() throws {
            try runGoldens("prompt") { golden in
                let model = try TinyModel(#require(golden.string("model")))
                let ids: [Int32] = try golden.input("input_ids").values()
                let mask: [Int32] = try golden.input("attention_mask").values()
                func features(_ encoder: TextEncoder) throws -> Tensor {
                    try encoder(
                        ids: ids.map(Int.init), real: mask.map { $0 != 0 }, dtype: golden.dtype)
                }
                if golden.outputs.contains("hidden_states") {
                    try everyLayer(golden, model, features)
                    return
                }
                try golden.expect(features(model.textEncoder()), "prompt_embeds")
                if golden.outputs.contains("text_ids") {
                    try golden.expect(Positions.text(ids.count).unsqueezed(0), "text_ids")
                }
            }
        }

        /// The states after each layer at some positions, the last one normalized.
        private func everyLayer(
            _ golden: Golden, _ model: TinyModel, _ features: (TextEncoder) throws -> Tensor
        ) throws {
            let configuration = try model.configuration(
                "text_encoder", TextEncoderConfiguration.self)
            let places = try #require(golden.parameters["positions"] as? [Int])
            let taps = Array(0...configuration.layerCount)
            let all = try features(model.textEncoder(taps: taps)).squeezed(0)
                .gathering(.from(places.map(Int64.init)), along: 0)
                .reshaped([places.count, taps.count, configuration.width])
                .transposed(0, 1)
            try golden.expect(all, "hidden_states")
        }
    }
}
