internal import Domains
package import Flux2
package import FluxModels
package import Offloading
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
    package let referenceArea: Int
    package let device: Device
    package let dtype: DType
    private let files: TrainingFiles

    /// Looks at headers and configurations; no weight is read.
    ///
    /// - Throws: `ModelError` for components that do not belong together, `RequestError` for a text
    ///   length out of range.
    package init(_ files: TrainingFiles, device: Device, dtype: DType) throws {
        self.device = device
        self.dtype = dtype
        self.files = files
        textLength = files.textLength
        try NumericSetting.textLength.require(textLength)
        referenceArea = files.referenceArea
        let opened = try Dictionary(
            uniqueKeysWithValues: files.weights.map { component, paths in
                (component, try files.opened(component, paths))
            })
        transformer = try opened[.transformer].map { file in
            let shape = try file.transformerConfiguration()
            return try Self.part(
                file, .transformer, files, device, dtype, WeightGrouping.ofTransformer
            ) { FluxTransformer($0, shape) }
        }
        let encoder = try opened[.textEncoder].map { file in
            guard case .textEncoder(_, let derived) = file.content else {
                preconditionFailure("a text encoder was opened as something else")
            }
            let shape: TextEncoderConfiguration = try file.configuration(derived)
            try ComponentCompatibility.requireDepth(of: shape, file.checkpoint.location)
            return (file, shape)
        }
        textEncoder = try encoder.map { file, shape in
            try Self.part(file, .textEncoder, files, device, dtype, WeightGrouping.ofTextEncoder) {
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
            // Parts that are not here are planned with; no caption is read.
            try files.tokenizer.flatMap { $0.isEmpty ? nil : $0 }.map { folder in
                try Pipeline.promptTokenizer(
                    Pipeline.tokenizer(folder, for: shape), shape.family, .diffsynth)
            }
        }
        try check(files)
    }

    private static func part<Model>(
        _ file: ComponentFile, _ component: Component, _ files: TrainingFiles, _ device: Device,
        _ dtype: DType, _ grouping: @escaping ManagedWeights.Grouping,
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
        func place(_ component: Component) -> String {
            files.weights[component]?.first ?? component.rawValue
        }
        if let encoder = textEncoder?.model.configuration {
            try ComponentCompatibility.require(
                encoder, place(.textEncoder), for: shape, place(.transformer))
        }
        if let autoencoder = autoencoder?.model.configuration {
            try ComponentCompatibility.require(
                autoencoder, place(.autoencoder), for: shape, place(.transformer))
        }
    }

    /// Has frozen blocks come to the device while they are used, instead of staying there.
    ///
    /// - Parameter settings: how.
    package func stream(_ settings: WeightPlacement.DeviceBufferSettings = .init()) {
        transformer?.placement = .streamed(resident: [], settings)
        textEncoder?.placement = .streamed(resident: [], settings)
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

    /// The parameters of a place, all of the component where it names no part.
    ///
    /// - Parameter option: what errors call it.
    /// - Throws: `RequestError` for a component that was not given.
    func parameters(at place: TrainableModule, _ option: String) throws -> [Parameter] {
        guard let all = parameters(of: place.component) else {
            throw RequestError(
                setting: option, expected: "a component that is among the models",
                found: place.component.rawValue)
        }
        return all.filter { place.holds($0.key) }
    }

    /// The parameters that are trained whole at a place.
    ///
    /// - Throws: `RequestError` for a place that is not there, or whose weights are kept in 8 bits.
    func trained(at place: TrainableModule) throws -> [Parameter] {
        let option = "--trainable_models"
        let chosen = try parameters(at: place, option)
        guard !chosen.isEmpty else {
            throw RequestError(
                setting: option, expected: "a part of the model", found: place.module)
        }
        try requireWhole(chosen, place.component)
        return chosen
    }

    /// What training changes is not rounded to 8 bits before.
    private func requireWhole(_ parameters: [Parameter], _ component: Component) throws {
        guard let storage = files.storage[component] else { return }
        let policy = storage.policy.keeping(files.keptAsStored[component] ?? [])
        guard parameters.contains(where: policy.quantizes) else { return }
        throw RequestError(
            setting: storage == .float8 ? "--fp8_models" : "--quant_options",
            expected: "of models whose weights are not trained",
            found: "of the \(component.rawValue), which --trainable_models names")
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

extension TrainingFiles {
    /// A component's file, or what is known of a published one that is not here.
    fileprivate func opened(_ component: Component, _ paths: [String]) throws -> ComponentFile {
        guard let model = absent[component] else {
            return try ComponentFile(paths, expected: component)
        }
        return ComponentFile(published: model, component, place: paths[0])
    }
}
