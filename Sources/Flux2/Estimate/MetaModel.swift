internal import FluxModels
internal import Torch

/// The networks of a model without values, for ``AllocationCounter``.
struct MetaModel<Model> {
    let model: Model
    private let parameters: [Parameter]

    /// Gives all parameters shapes and a type; call it where nothing is counted.
    init(_ dtype: DType, _ build: (Scope) -> Model) throws {
        let scope = Scope()
        model = build(scope)
        parameters = scope.parameters
        for parameter in parameters {
            try parameter.load(.empty(parameter.shape, dtype: dtype, device: .meta))
        }
    }

    /// Puts changes beside the weights, by the names of their parameters.
    func put(_ adapters: [String: [Adapter]]) {
        for parameter in parameters { parameter.adapters = adapters[parameter.key] ?? [] }
    }
}

/// Changes of the weights of a generation, by component and name of the parameter.
struct MetaAdapters {
    typealias Changes = [String: [Adapter]]

    /// Those of the text encoder and of the autoencoder.
    var beside: [Component: Changes] = [:]
    /// Those of the transformer, for each pass of guidance.
    var ofTransformer: [GuidanceBranch: Changes] = [:]

    /// Adapters of the same shapes without values.
    static func of(_ changes: Changes, dtype: DType) throws -> Changes {
        try changes.mapValues { try $0.map { try $0.to(dtype: dtype, device: .meta) } }
    }
}
