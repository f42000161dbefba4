import Flux2
import FluxModels
import FluxTraining
import Foundation
import Checkpoints
import TestSupport
import Testing
import Torch

/// The tiny model's configurations without its weights.
struct Configurations {
    let folder: TemporaryFolder
    var path: String { folder.file("tiny-klein") }

    init() throws {
        folder = try TemporaryFolder()
        _ = try folder.model()
        for part in ["transformer", "text_encoder", "vae"] {
            let place = "\(path)/\(part)"
            for name in try FileManager.default.contentsOfDirectory(atPath: place)
            where name.contains("safetensors") {
                try FileManager.default.removeItem(atPath: "\(place)/\(name)")
            }
        }
    }

    func change(_ part: String, _ key: String, _ value: Any) throws {
        let url = URL(fileURLWithPath: "\(path)/\(part)/config.json")
        var config = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
        config[key] = value
        try JSONSerialization.data(withJSONObject: config).write(to: url)
    }

    func file(_ part: String) throws -> SafetensorsFile {
        let name = part == "text_encoder" ? "model" : "diffusion_pytorch_model"
        return try SafetensorsFile(path: "\(path)/\(part)/\(name).safetensors")
    }
}

@Suite("A new model") struct NewModelTests {
    @Test func isCompleteAndBeginsByChangingNothing() async throws {
        let new = try Configurations()
        try NewModel(folder: new.path).write(seed: 1)
        // Whatever the prompt, the velocity is 0, so the image is its noise.
        let pipeline = try await Flux2ImagePipeline.fromPretrained(
            dtype: .float32, modelConfigs: [ModelConfig(path: new.path)])
        func image(_ prompt: String) async throws -> [UInt8] {
            try await pipeline(
                prompt: prompt, height: 32, width: 32, seed: 3, numInferenceSteps: 1
            ).pixels
        }
        let first = try await image("a fox")
        let second = try await image("a house")
        #expect(first == second)
        let file = try new.file("transformer")
        let output = try #require(file["proj_out.weight"])
        withExtendedLifetime(file) { #expect(file.bytes(of: output).allSatisfy { $0 == 0 }) }
    }

    @Test func followsFromItsSeed() throws {
        func bytes(_ seed: UInt64) throws -> [UInt8] {
            let new = try Configurations()
            try NewModel(folder: new.path).write(seed: seed)
            let file = try new.file("vae")
            let info = try #require(file["encoder.conv_in.weight"])
            return withExtendedLifetime(file) { Array(file.bytes(of: info)) }
        }
        let one = try bytes(1)
        #expect(try bytes(1) == one)
        #expect(try bytes(2) != one)
    }

    @Test func replacesNothingUnlessItShall() throws {
        let new = try Configurations()
        try NewModel(folder: new.path).write(seed: 1)
        #expect(throws: (any Error).self) { try NewModel(folder: new.path).write(seed: 2) }
        #expect(throws: Never.self) {
            try NewModel(folder: new.path).write(seed: 2, overwrite: true)
        }
    }

    @Test func hasPartsThatFit() throws {
        let new = try Configurations()
        try new.change("transformer", "joint_attention_dim", 95)
        let error = #expect(throws: ModelError.self) { try NewModel(folder: new.path) }
        #expect(error.map { "\($0)".contains("width 96") && "\($0)".contains("95") } == true)
    }

    /// A small encoder says itself which of its states are taken.
    @Test func mayTakeOtherHiddenStates() throws {
        let new = try Configurations()
        try new.change("text_encoder", "num_hidden_layers", 4)
        #expect(throws: ModelError.self) { try NewModel(folder: new.path) }
        try new.change("text_encoder", "text_encoder_out_layers", [1, 2, 4])
        try NewModel(folder: new.path).write(seed: 1)
        let encoder = try new.file("text_encoder")
        #expect(encoder["model.layers.3.mlp.up_proj.weight"] != nil)
        #expect(encoder["model.layers.4.mlp.up_proj.weight"] == nil)
        #expect(encoder["model.norm.weight"] != nil)
        try new.change("text_encoder", "text_encoder_out_layers", [2, 2])
        let error = #expect(throws: ModelError.self) { try NewModel(folder: new.path) }
        #expect(error.map { "\($0)".contains("text_encoder_out_layers") } == true)
    }
}
