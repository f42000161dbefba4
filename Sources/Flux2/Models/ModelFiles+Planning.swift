internal import FluxModels
public import ModelHub

extension ModelFiles {
    /// The files of a model as far as they are on this machine, to plan with: of a published one, the
    /// shapes of the other parts are known.
    ///
    /// - Throws: `HubError` for parts that are not here of a model that is not among the published
    ///   ones, and what ``init(model:overrides:settings:)`` throws.
    public init(
        planning model: String, overrides: Overrides = .init(), settings: HubSettings
    ) throws {
        guard let repository = ModelRepository(named: model), !LocalFiles.isFolder(model) else {
            try self.init(model: model, overrides: overrides, settings: settings)
            return
        }
        let present = repository.present(settings)
        let missing = ModelRepository.Part.allCases.filter {
            present[$0] == nil && overrides[$0] == nil
        }
        guard !missing.isEmpty else {
            try self.init(model: model, overrides: overrides, settings: settings)
            return
        }
        guard let variant = Variant(named: model) else {
            throw HubError(model, .notHere(searched: ModelPlaces.candidates(model, settings)))
        }
        try self.init(variant, missing, present, overrides)
    }

    private init(
        _ variant: Variant, _ missing: [ModelRepository.Part],
        _ present: [ModelRepository.Part: String], _ overrides: Overrides
    ) throws {
        func weights(_ part: ModelRepository.Part) throws -> Weights {
            if let given = overrides[part] { return try given.map(existing) }
            let folder = present[part].map(ModelFolder.init)
            guard let component = part.component, let folder else {
                return ["\(variant.rawValue)/\(part.rawValue)"]
            }
            return [try folder.path(of: component)]
        }
        self.init(
            transformer: try weights(.transformer), textEncoder: try weights(.textEncoder),
            autoencoder: try weights(.autoencoder),
            // What a plan counts does not depend on the words of a prompt.
            tokenizer: "")
        absent = Dictionary(
            missing.compactMap(\.component).map { ($0, variant) }, uniquingKeysWith: { a, _ in a })
        name = variant.rawValue
        self.variant = variant
        preset = variant.preset
    }
}

extension ModelFiles.Overrides {
    /// What is given for a part; nil takes the model's own.
    subscript(_ part: ModelRepository.Part) -> [String]? {
        switch part {
        case .transformer: transformer
        case .textEncoder: textEncoder
        case .autoencoder: autoencoder
        case .tokenizer: tokenizer.map { [$0] }
        }
    }
}
