import FluxModels
import Foundation
import TestSupport
import Testing
import Torch

/// The published models, whose configurations follow from a few numbers.
private enum Published {
    static func transformer(
        double: Int, single: Int, heads: Int, text: Int, guided: Bool = false
    ) throws -> [Parameter] {
        let json = """
            {"num_layers": \(double), "num_single_layers": \(single), "attention_head_dim": 128,
             "num_attention_heads": \(heads), "joint_attention_dim": \(text),
             "guidance_embeds": \(guided), "axes_dims_rope": [32, 32, 32, 32]}
            """
        return try parameters(json) { FluxTransformer($0, $1) }
    }

    static func encoder(
        _ type: String, width: Int, hidden: Int, layers: Int, vocabulary: Int
    ) throws -> [Parameter] {
        let json = """
            {"model_type": "\(type)", "hidden_size": \(width), "intermediate_size": \(hidden),
             "num_hidden_layers": \(layers), "num_attention_heads": 32, "head_dim": 128,
             "num_key_value_heads": 8, "vocab_size": \(vocabulary), "rms_norm_eps": 1e-6,
             "rope_theta": 1000000}
            """
        return try parameters(json) { (scope, shape: TextEncoderConfiguration) in
            TextEncoder(scope, shape)
        }
    }

    static func autoencoder() throws -> [Parameter] {
        let json = """
            {"block_out_channels": [128, 256, 512, 512], "latent_channels": 32,
             "layers_per_block": 2, "norm_num_groups": 32}
            """
        return try parameters(json) { Autoencoder($0, $1) }
    }

    private static func parameters<Shape: Decodable, Model>(
        _ json: String, _ build: (Scope, Shape) -> Model
    ) throws -> [Parameter] {
        let scope = Scope()
        _ = build(scope, try JSONDecoder().decode(Shape.self, from: Data(json.utf8)))
        return scope.parameters
    }
}

extension [Parameter] {
    fileprivate var valueCount: Int { reduce(0) { $0 + $1.shape.reduce(1, *) } }
}

/// Counts of tensors and of values are those of the published files.
@Suite("Architectures have the published sizes")
struct ArchitectureTests {
    @Test func transformers() throws {
        let dev = try Published.transformer(
            double: 8, single: 48, heads: 48, text: 15360, guided: true)
        #expect(dev.count == 331 && dev.valueCount == 32_223_281_152)
        let four = try Published.transformer(double: 5, single: 20, heads: 24, text: 7680)
        #expect(four.count == 169 && four.valueCount == 3_875_544_576)
        let nine = try Published.transformer(double: 8, single: 24, heads: 32, text: 12288)
        #expect(nine.count == 233 && nine.valueCount == 9_078_581_248)
    }

    @Test func textEncodersUpToTheLastLayerThatIsUsed() throws {
        let four = try Published.encoder(
            "qwen3", width: 2560, hidden: 9728, layers: 36, vocabulary: 151_936)
        #expect(four.valueCount == 3_114_088_192)
        let eight = try Published.encoder(
            "qwen3", width: 4096, hidden: 12288, layers: 36, vocabulary: 151_936)
        #expect(eight.valueCount == 5_831_883_520)
        let mistral = try Published.encoder(
            "mistral3", width: 5120, hidden: 32768, layers: 40, vocabulary: 131_072)
        #expect(mistral.valueCount == 17_343_754_240)
    }

    @Test func theAutoencoder() throws {
        let parameters = try Published.autoencoder()
        // The running statistics are 256 of the values; the counter beside them is not read.
        #expect(parameters.count == 250 && parameters.valueCount == 84_046_115 + 256)
    }
}
