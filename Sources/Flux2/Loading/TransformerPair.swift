package import FluxModels
public import LoRA
internal import ModelHub
internal import Offloading
public import Torch

/// Two transformers of one architecture, weight by weight; for what lies between them.
public struct TransformerPair {
    /// Canonical names of all matrices, in order.
    public let keys: [String]
    private let base: [String: Parameter]
    private let tuned: [String: Parameter]

    /// - Parameters:
    ///   - base, tuned: a model's folder, or a transformer's file, index or folder.
    /// - Throws: `ModelError` when their architectures differ.
    public init(base: String, tuned: String) throws {
        let first = try TransformerWeights(base)
        let second = try TransformerWeights(tuned)
        guard first.configuration == second.configuration else {
            throw ModelError(
                path: tuned, reason: .mismatch("is of another architecture than \(base)"))
        }
        keys = first.parameters.filter { $0.shape.count == 2 }.map(\.key).sorted()
        self.base = first.byKey
        self.tuned = second.byKey
    }

    /// What leads from the first to the second, in float32.
    public func change(of key: String) throws -> Tensor {
        guard let before = base[key], let after = tuned[key] else {
            preconditionFailure("'\(key)' is none of the keys")
        }
        let sample = try Tensor.empty([0])
        return try after.value(like: sample) - before.value(like: sample)
    }

    /// The type that a weight is stored in.
    public func dtype(of key: String) throws -> DType {
        guard case .loaded(.dense(let values))? = tuned[key]?.storage else { return .float32 }
        return values.dtype
    }
}

/// The weights of a transformer, mapped.
struct TransformerWeights {
    let configuration: TransformerConfiguration
    let parameters: [Parameter]

    init(_ path: String) throws { try self.init(transformerPath(path)) }

    init(_ paths: [String]) throws {
        let file = try ComponentFile(paths, expected: .transformer)
        configuration = try file.transformerConfiguration()
        let scope = Scope()
        _ = FluxTransformer(scope, configuration)
        parameters = scope.parameters
        _ = try file.loader().load(parameters)
    }

    var byKey: [String: Parameter] {
        Dictionary(parameters.map { ($0.key, $0) }) { first, _ in first }
    }
}

/// The transformer of a model's folder, or the path itself.
func transformerPath(_ path: String) throws -> [String] {
    try componentPath(path, .transformer)
}

/// A component of a model's folder, or the path itself.
func componentPath(_ path: String, _ component: Component) throws -> [String] {
    guard [".safetensors", ".json", ".gguf"].contains(where: path.hasSuffix) else {
        let folder = try ModelFolder.named(path, HubSettings())[0]
        return [(try? folder.path(of: component)) ?? folder.path]
    }
    return [path]
}

extension ComponentFile {
    package func transformerConfiguration() throws -> TransformerConfiguration {
        guard case .transformer(let derived) = content else {
            preconditionFailure("a transformer was opened as something else")
        }
        return try configuration(derived)
    }
}

extension AdapterTargets {
    /// The modules of a model on disk; only headers are read.
    ///
    /// - Parameter model: a model's folder, or a transformer's file, index or folder.
    public init(model: String) throws {
        let file = try ComponentFile(transformerPath(model), expected: .transformer)
        let scope = Scope()
        _ = FluxTransformer(scope, try file.transformerConfiguration())
        self.init(scope.parameters.shapes)
    }
}
