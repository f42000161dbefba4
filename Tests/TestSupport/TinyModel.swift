import FluxModels
import Foundation
import Offloading
import Checkpoints
import Testing
import Torch

/// The reference's tiny models, component by component, as the program would load them.
public struct TinyModel {
    public let folder: String

    public init(_ name: String) { self.init(path: Reference.path("models/\(name)")) }

    public init(path: String) { folder = path }

    public func transformer() throws -> FluxTransformer { try transformerWithParameters().0 }

    public func transformerWithParameters() throws -> (FluxTransformer, [Parameter]) {
        try loadWithParameters("transformer", TransformerConfiguration.self) {
            FluxTransformer($0, $1)
        }
    }

    public func autoencoder() throws -> Autoencoder {
        try load("vae", AutoencoderConfiguration.self) { Autoencoder($0, $1) }
    }

    public func textEncoder(taps: [Int]? = nil) throws -> TextEncoder {
        try load("text_encoder", TextEncoderConfiguration.self) {
            TextEncoder($0, $1, taps: taps)
        }
    }

    /// An autoencoder of random weights, of two or more levels; the published shapes unless told otherwise.
    public static func randomAutoencoder(
        channels: [Int] = [128, 256, 512, 512], seed: UInt64 = 1
    ) throws -> (Autoencoder, [Parameter]) {
        let json = """
            {"block_out_channels": \(channels), "latent_channels": 32, "layers_per_block": 2,
             "norm_num_groups": 32}
            """
        let configuration = try JSONDecoder().decode(
            AutoencoderConfiguration.self, from: Data(json.utf8))
        let scope = Scope()
        let model = Autoencoder(scope, configuration)
        try loadRandomNumbers(scope.parameters, seed: seed)
        return (model, scope.parameters)
    }

    public func configuration<C: Decodable>(_ component: String, _ type: C.Type) throws -> C {
        let file = URL(fileURLWithPath: "\(folder)/\(component)/config.json")
        return try JSONDecoder().decode(type, from: Data(contentsOf: file))
    }

    private func load<Model, C: Decodable>(
        _ component: String, _ type: C.Type, _ build: (Scope, C) -> Model
    ) throws -> Model {
        try loadWithParameters(component, type, build).0
    }

    private func loadWithParameters<Model, C: Decodable>(
        _ component: String, _ type: C.Type, _ build: (Scope, C) -> Model
    ) throws -> (Model, [Parameter]) {
        let checkpoint = try Checkpoint(path: "\(folder)/\(component)")
        var shapes: TensorShapes = [:]
        for name in checkpoint.names { shapes[name] = checkpoint[name]?.info.shape }
        let keyMap = try #require(Detection(shapes)).keyMap
        let scope = Scope()
        let model = build(scope, try configuration(component, type))
        _ = try WeightLoader(
            checkpoint, transform: keyMap.transform,
            isIgnorable: { keyMap.isIgnorable($0) || $0.hasSuffix(".norm.weight") }
        ).load(scope.parameters)
        return (model, scope.parameters)
    }
}
