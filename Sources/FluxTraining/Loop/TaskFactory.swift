internal import Flux2
internal import FluxModels
internal import Torch

/// Makes the training objective of a task and its validator.
struct TaskFactory {
    private let settings: TrainingSettings
    private let parts: TrainingParts
    private let weights: TrainableWeights
    private let sampler: NoiseSampler
    private let onEvent: (TrainingEvent) -> Void

    init(
        _ settings: TrainingSettings, _ parts: TrainingParts, _ weights: TrainableWeights,
        _ sampler: NoiseSampler, _ onEvent: @escaping (TrainingEvent) -> Void
    ) {
        self.settings = settings
        self.parts = parts
        self.weights = weights
        self.sampler = sampler
        self.onEvent = onEvent
    }

    /// - Throws: `ModelError` for a component that the task needs and was not given.
    func objective(heldOut: [LoadedSample]) throws -> (any TrainingObjective, any Validator) {
        settings.task == .autoencoder ? try reconstruction(heldOut) : try flow(heldOut)
    }

    private func flow(_ heldOut: [LoadedSample]) throws -> (any TrainingObjective, any Validator) {
        guard let part = parts.transformer else { throw ModelError(missing: .transformer) }
        let transformer = try part.load(passes: .max)
        let objective = try DiffusionLoss(settings, transformer)
        let encoder = SampleEncoder(
            parts, trained: weights.components, limit: settings.data.keptBytes)
        encoder.warn(through: onEvent)
        let validator = try DiffusionValidator(
            settings.validation, parts, encoder, transformer, objective,
            heldOut: try self.heldOut(heldOut, encoder))
        return (
            DiffusionObjective(
                objective: objective, encoder: encoder, sampler: sampler, parts: parts),
            validator
        )
    }

    /// Held-out samples, encoded once unless what encodes them is trained.
    private func heldOut(
        _ samples: [LoadedSample], _ encoder: SampleEncoder
    ) throws -> HeldOutSamples {
        func encoded() throws -> [EncodedSample] {
            try withoutGradients { try samples.map { try $0.encoded(encoder, parts) } }
        }
        guard weights.components.isDisjoint(with: [.textEncoder, .autoencoder]) else {
            return HeldOutSamples(count: samples.count, read: encoded)
        }
        let known = try encoded()
        return HeldOutSamples(count: known.count) { known }
    }

    private func reconstruction(
        _ heldOut: [LoadedSample]
    ) throws -> (any TrainingObjective, any Validator) {
        guard let part = parts.autoencoder else { throw ModelError(missing: .autoencoder) }
        let objective = AutoencoderObjective(
            autoencoder: try part.load(passes: .max), sampler: sampler, dtype: parts.dtype,
            device: parts.device, divergenceWeight: settings.divergenceWeight)
        return (
            objective, AutoencoderValidator(objective, heldOut: heldOut.compactMap(\.item))
        )
    }
}

extension ModelError {
    /// A component that a task needs and was not given.
    init(missing component: Component) {
        self.init(
            path: "--model_paths, --model_id_with_origin_paths",
            reason: .missingComponent(component.rawValue, expected: "among the models"))
    }
}

extension LoadedSample {
    /// What the flow's objectives take.
    func encoded(_ encoder: SampleEncoder, _ parts: TrainingParts) throws -> EncodedSample {
        switch self {
        case .item(let item): try encoder(item)
        case .encoded(let file): try file.load(dtype: parts.dtype, device: parts.device)
        }
    }
}

extension SampleEncoder {
    func warn(through onEvent: @escaping (TrainingEvent) -> Void) {
        onTruncated = { row, tokens in
            onEvent(
                .warned(
                    "the caption of row \(row + 1) has \(tokens) tokens; what is beyond the text "
                        + "window is dropped"))
        }
    }
}
