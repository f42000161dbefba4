public import FluxModels
internal import Foundation
internal import Offloading
internal import Torch

/// A component of a model whose weights are to be quantized into 8 bits: looked at, and mapped.
public struct QuantizationSource {
    /// A weight and its names.
    struct Entry {
        /// The name in the file that is written.
        var name: String
        /// The name in the canonical layout.
        var key: String
        /// The values in the file that is read.
        var values: Tensor
        /// The file that is read.
        var file: String
        /// The tensor that it is in there.
        var source: String
    }

    /// The file, index or folder.
    public let location: String
    /// In the order in which the model declares them, which is that in which it uses them.
    let entries: [Entry]
    /// What it is made of.
    let files: [any WeightFile]
    let configuration: QuantizedConfiguration

    /// Opens a component.
    ///
    /// - Parameters:
    ///   - model: a model's folder or name, or the component's file, index or folder.
    ///   - part: the transformer or the text encoder.
    /// - Throws: `ModelError` when it is something else, or weights have 8 bits already; what
    ///   opening it throws.
    public init(model: String, part: Component = .transformer) throws {
        try self.init(paths: componentPath(model, part), part: part)
    }

    /// - Parameter paths: a file, an index, a folder, or several files that make up one checkpoint.
    init(paths: [String], part: Component) throws {
        let model = paths.first ?? ""
        let file = try ComponentFile(paths, expected: part)
        let scope = Scope()
        switch file.content {
        case .transformer(let derived):
            let shape = try file.configuration(derived)
            _ = FluxTransformer(scope, shape)
            configuration = .transformer(shape, file: file.configurationPath)
        case .textEncoder(_, let derived):
            // Its rows may be rotated, which its names would not tell of what is written.
            guard !file.checkpoint.isGGUF else {
                throw ModelError(
                    path: file.checkpoint.location,
                    reason: .wrongContent(
                        expected: "a text encoder of .safetensors files", found: "a GGUF file"))
            }
            let shape = try file.configuration(derived)
            try ComponentCompatibility.requireDepth(of: shape, model)
            _ = TextEncoder(scope, shape)
            configuration = .textEncoder(shape, file: file.configurationPath)
        case .autoencoder, .lora:
            throw ModelError(
                path: model,
                reason: .wrongContent(
                    expected: "a transformer or a text encoder", found: "a \(part.rawValue)"))
        }
        location = file.checkpoint.location
        files = file.checkpoint.files
        entries = try Self.entries(scope.parameters, of: file, part)
    }

    private static func entries(
        _ parameters: [Parameter], of file: ComponentFile, _ part: Component
    ) throws -> [Entry] {
        let loader = file.loader()
        try loader.check(parameters)
        return try zip(parameters, loader.stored(parameters)).map { parameter, weight in
            let place = loader.places(parameter)[0]
            guard case .dense(let values) = weight, values.dtype.byteCount > 1 else {
                throw ModelError(
                    path: place.file.path,
                    reason: .wrongContent(
                        expected: "weights of 16 or 32 bits",
                        found: "'\(place.info.name)' \(weight.width)"))
            }
            // A transformer's tensors may be joined or rotated in the file; a text encoder's are not.
            let name = part == .transformer ? parameter.key : place.info.name
            return Entry(
                name: name, key: parameter.key, values: values, file: place.file.path,
                source: place.info.name)
        }
    }

    /// The bytes of all weights.
    public var byteCount: Int { entries.reduce(0) { $0 + $1.values.byteCount } }
}
