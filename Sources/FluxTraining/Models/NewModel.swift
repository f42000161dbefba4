internal import FileSupport
public import Flux2
internal import FluxModels
internal import Foundation
internal import Checkpoints
internal import Torch

/// A model that begins with random weights: a folder of configurations, to which weights are added.
public struct NewModel {
    private let folder: String
    private let transformer: TransformerConfiguration
    private let textEncoder: TextEncoderConfiguration
    private let autoencoder: AutoencoderConfiguration

    /// Reads `config.json` of all components.
    ///
    /// - Throws: `ModelError` for one that is missing, damaged, or does not fit another.
    public init(folder: String) throws {
        self.folder = folder
        func path(_ component: Component) -> String {
            "\(folder)/\(component.rawValue)/config.json"
        }
        func read<T: Decodable>(_ component: Component) throws -> T {
            guard FileManager.default.fileExists(atPath: path(component)) else {
                throw ModelError(
                    path: folder,
                    reason: .missingComponent(
                        "architecture of the \(component.rawValue)", expected: path(component)))
            }
            return try Configuration.read(T.self, from: path(component))
        }
        transformer = try read(.transformer)
        textEncoder = try read(.textEncoder)
        autoencoder = try read(.autoencoder)
        try ComponentCompatibility.requireDepth(of: textEncoder, path(.textEncoder))
        try ComponentCompatibility.require(
            textEncoder, path(.textEncoder), for: transformer, path(.transformer))
        try ComponentCompatibility.require(
            autoencoder, path(.autoencoder), for: transformer, path(.transformer))
    }

    /// Draws all weights and writes them in 16 bits, under the names of the hub.
    ///
    /// - Parameter overwrite: whether weights that are there are replaced.
    /// - Returns: the number of values of each component.
    /// - Throws: `FileError`, also where weights are there already.
    @discardableResult
    public func write(seed: UInt64, overwrite: Bool = false) throws -> [Component: Int] {
        let plans: [(Component, [Parameter], path: String, prefix: String)] = [
            (.transformer, Self.parameters { FluxTransformer($0, transformer) }, Self.plain, ""),
            (
                .textEncoder, Self.parameters { TextEncoder($0, textEncoder) },
                "model.safetensors", "model."
            ),
            (.autoencoder, Self.parameters { Autoencoder($0, autoencoder) }, Self.plain, ""),
        ]
        let paths = plans.map { "\(folder)/\($0.0.rawValue)/\($0.path)" }
        for path in paths { try AtomicFile.checkWritable(path, overwrite: overwrite) }
        try requireMemory(plans.map { Self.count($0.1) }.max() ?? 0)
        var counts: [Component: Int] = [:]
        for (number, plan) in plans.enumerated() {
            let generator = try Generator(seed: SeedSequence.seed(seed, UInt64(number)))
            let weights = FreshWeights(plan.0, generator)
            let tensors = try plan.1.map {
                try TensorToWrite(plan.prefix + $0.key, weights.values(of: $0), in: .bfloat16)
            }
            try SafetensorsWriter.write(
                to: paths[number], tensors: tensors, metadata: ["format": "pt"])
            counts[plan.0] = Self.count(plan.1)
        }
        return counts
    }

    private static func count(_ parameters: [Parameter]) -> Int {
        parameters.reduce(0) { $0 + $1.shape.reduce(1, *) }
    }

    /// Refuses to draw what cannot be held: the numbers of a configuration are anybody's.
    private func requireMemory(_ values: Int) throws {
        let free = try Device.cpu.memory().free
        guard values <= free / 4 else {
            throw ModelError(
                path: folder,
                reason: .mismatch(
                    "a configuration asks for \(values) values of 4 bytes; \(free) bytes are free"))
        }
    }

    private static let plain = "diffusion_pytorch_model.safetensors"

    private static func parameters(_ declare: (Scope) -> Any) -> [Parameter] {
        let scope = Scope()
        _ = declare(scope)
        return scope.parameters
    }
}

/// The values that weights begin with.
///
/// What steers and ends the transformer begins with zeros, so that every block begins by passing on
/// what it gets; convolutions as in PyTorch, other matrices by Glorot's rule.
struct FreshWeights {
    private let component: Component
    private let generator: Generator

    init(_ component: Component, _ generator: Generator) {
        self.component = component
        self.generator = generator
    }

    func values(of parameter: Parameter) throws -> Tensor {
        let (key, shape) = (parameter.key, parameter.shape)
        if key.hasSuffix("running_mean") || key.hasSuffix(".bias") { return try .zeros(shape) }
        if shape.count == 1 { return try .ones(shape) }
        if component == .transformer, Self.beginsWithZeros(key) { return try .zeros(shape) }
        let (outputs, inputs) = (shape[0], shape.dropFirst().reduce(1, *))
        if shape.count == 4 { return try uniform(shape, 1 / Double(inputs).squareRoot()) }
        if key == "embed_tokens.weight" { return try normal(shape, 0.02) }
        return try uniform(shape, (6 / Double(inputs + outputs)).squareRoot())
    }

    private static func beginsWithZeros(_ key: String) -> Bool {
        key.contains("_modulation") || key.hasPrefix("norm_out.") || key.hasPrefix("proj_out.")
    }

    private func uniform(_ shape: [Int], _ bound: Double) throws -> Tensor {
        try Tensor.rand(shape, generator: generator) * (2 * bound) - bound
    }

    private func normal(_ shape: [Int], _ deviation: Double) throws -> Tensor {
        try .randn(shape, generator: generator, dtype: .float32) * deviation
    }
}
