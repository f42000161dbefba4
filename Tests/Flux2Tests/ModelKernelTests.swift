import FluxModels
import Foundation
import TestSupport
import Testing
import Torch

/// Models with heads as wide as those of the published ones, and random weights.
@Suite("Models by kernels are as exact as by libtorch")
struct ModelKernelTests {
    private func shape<Shape: Decodable>(_ json: String) throws -> Shape {
        try JSONDecoder().decode(Shape.self, from: Data(json.utf8))
    }

    @Test(arguments: [0, 6])
    func transformers(_ references: Int) throws {
        let scope = Scope()
        let model = FluxTransformer(
            scope,
            try shape(
                """
                {"num_layers": 2, "num_single_layers": 4, "attention_head_dim": 128,
                 "num_attention_heads": 3, "joint_attention_dim": 256, "guidance_embeds": true,
                 "axes_dims_rope": [32, 32, 32, 32]}
                """))
        try loadRandomNumbers(scope.parameters, seed: 1)
        let generator = try Generator(seed: 2)
        func numbers(_ shape: [Int]) throws -> Tensor {
            try .randn(shape, generator: generator, dtype: .bfloat16)
        }
        let (latents, text) = try (numbers([1, 63, 128]), numbers([1, 40, 256]))
        let edited = try numbers([1, references * 4, 128])
        let grids = try [Positions.text(40), Positions.grid(rows: 9, columns: 7)]
        let more = references > 0 ? [try Positions.grid(rows: references, columns: 4)] : []
        let rotary = try RotaryTable(
            positions: .concatenating(grids + more, along: 0), axes: [32, 32, 32, 32], theta: 2000)
        let errors = try kernelErrors { dtype in
            try model(
                TransformerInput(
                    latents: latents.to(dtype: dtype),
                    references: references > 0 ? edited.to(dtype: dtype) : nil,
                    text: text.to(dtype: dtype), sigma: .full([1], 0.7).to(dtype: dtype),
                    guidance: 4, rotary: rotary))
        }
        #expect(errors.best <= 1.1 * errors.libtorch, "\(errors)")
    }

    @Test(arguments: ["qwen3", "mistral3"])
    func textEncoders(_ family: String) throws {
        let scope = Scope()
        let model = TextEncoder(
            scope,
            try shape(
                """
                {"model_type": "\(family)", "hidden_size": 256, "intermediate_size": 512,
                 "num_hidden_layers": 7, "num_attention_heads": 8, "head_dim": 128,
                 "num_key_value_heads": 2, "vocab_size": 500, "rms_norm_eps": 1e-6,
                 "rope_theta": 1000000}
                """), taps: [2, 4, 6])
        try loadRandomNumbers(scope.parameters, seed: 3)
        let ids = (0..<96).map { $0 * 37 % 500 }
        let errors = try kernelErrors {
            try model(ids: ids, real: ids.indices.map { $0 < 75 }, dtype: $0)
        }
        #expect(errors.best <= 1.1 * errors.libtorch, "\(errors)")
    }
}
