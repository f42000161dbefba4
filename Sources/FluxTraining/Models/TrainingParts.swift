package import Flux2
package import FluxModels
package import Residency
package import Tokenization
package import Torch

/// The components that a task uses, looked at and checked against each other; weights come when a
/// part is used first.
package final class TrainingParts {
    package let transformer: ModelPart<FluxTransformer>?
    package let textEncoder: ModelPart<TextEncoder>?
    package let autoencoder: ModelPart<Autoencoder>?
    package let tokenizer: PromptTokenizer?
    package let textLength: Int
    package let device: Device
    package let dtype: DType

    /// Looks at headers and configurations; no weight is read.
    ///
    /// - Throws: `ModelError` for components that do not belong together.
    package init(_ files: TrainingFiles, device: Device, dtype: DType) throws {
        self.device = device
        self.dtype = dtype
        textLength = files.textLength
        let opened = try Dictionary(
            uniqueKeysWithValues: files.weights.map { component, paths in
                (component, try ComponentFile(paths, expected: component))
            })
        transformer = try opened[.transformer].map { file in
            let shape = try file.transformerConfiguration()
            return try Self.part(
                file, .transformer, files, device, dtype, WeightGroups.ofTransformer
            ) { FluxTransformer($0, shape) }
        }
        let encoder = try opened[.textEncoder].map { file in
            guard case .textEncoder(_, let derived) = file.content else {
                preconditionFailure("a text encoder was opened as something else")
            }
            return (file, try file.configuration(derived))
        }
        textEncoder = try encoder.map { file, shape in
            try Self.part(file, .textEncoder, files, device, dtype, WeightGroups.ofTextEncoder) {
                TextEncoder($0, shape)
            }
        }
        autoencoder = try opened[.autoencoder].map { file in
            guard case .autoencoder(let derived) = file.content else {
                preconditionFailure("an autoencoder was opened as something else")
            }
            let shape: AutoencoderConfiguration = try file.configuration(derived)
            return try Self.part(file, .autoencoder, files, device, dtype, { _ in nil }) {
                Autoencoder($0, shape)
            }
        }
        tokenizer = try encoder.flatMap { _, shape in
            try files.tokenizer.map { folder in
                try Pipeline.promptTokenizer(
                    Pipeline.tokenizer(folder, for: shape), shape.family, .diffsynth)
            }
        }
        try check(files)
    }

    private static func part<Model>(
        _ file: ComponentFile, _ component: Component, _ files: TrainingFiles, _ device: Device,
        _ dtype: DType, _ grouping: @escaping ArrangedWeights.Grouping,
        build: (Scope) -> Model
    ) throws -> ModelPart<Model> {
        let part = ModelPart(
            file.loader(), device: device, dtype: dtype, grouping: grouping,
            staysOnHost: { $0.key == "embed_tokens.weight" }, storage: files.storage[component],
            keptAsStored: files.keptAsStored[component] ?? [], build: build)
        try part.refuseUnfit()
        return part
    }

    private func check(_ files: TrainingFiles) throws {
        guard let shape = transformer?.model.configuration else { return }
        if let encoder = textEncoder?.model.configuration, encoder.featureWidth != shape.textWidth {
            throw ModelError(
                path: files.weights[.textEncoder]?.first ?? "text encoder",
                reason: .mismatch(
                    "gives text features of width \(encoder.featureWidth), the transformer takes "
                        + "\(shape.textWidth)"))
        }
        if let channels = autoencoder?.model.configuration.patchedChannels,
            channels != shape.latentChannels
        {
            throw ModelError(
                path: files.weights[.autoencoder]?.first ?? "autoencoder",
                reason: .mismatch(
                    "gives latents of \(channels) channels, the transformer takes "
                        + "\(shape.latentChannels)"))
        }
    }

    /// Has frozen blocks come to the device while they are used, instead of staying there.
    ///
    /// - Parameter settings: how.
    package func stream(_ settings: Arrangement.SlotSettings = .init()) {
        transformer?.arrangement = .slots(resident: [], settings)
        textEncoder?.arrangement = .slots(resident: [], settings)
    }

    /// Ends a step, so that the next one finds weights on their way in the order of their use.
    func endStep() throws { try transformer?.weights.stream?.learnOrder() }

    /// All parameters of a component; nil where it was not given.
    package func parameters(of component: Component) -> [Parameter]? {
        switch component {
        case .transformer: transformer?.parameters
        case .textEncoder: textEncoder?.parameters
        case .autoencoder: autoencoder?.parameters
        }
    }

    /// Loads a component's weights; on the processor this maps them.
    package func load(_ component: Component) throws {
        switch component {
        case .transformer: _ = try transformer?.load(passes: .max)
        case .textEncoder: _ = try textEncoder?.load(passes: .max)
        case .autoencoder: _ = try autoencoder?.load(passes: .max)
        }
    }
}
