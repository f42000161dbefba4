internal import Flux2
internal import FluxModels
internal import Offloading
internal import Torch

/// Puts together what a forecast needs, from settings and the headers of models.
struct TrainingEstimateReader {
    let settings: TrainingSettings
    let parts: TrainingParts
    let shapes: TrainableShapes?
    let largest: SampleMeasure
    /// All samples.
    let count: Int
    let encodes: Bool
    let processes: Int
    let threads: Int

    func demand() throws -> TrainingEstimateInput {
        var demand = TrainingEstimateInput(
            settings.task.encodesOnly ? nil : parts.transformer?.model.configuration,
            imageTokens: largest.image.tokens)
        demand.referenceTokens = largest.referenceTokens
        demand.textTokens = parts.textLength
        demand.dtype = parts.dtype
        demand.batchSize = settings.task.encodesOnly ? 1 : settings.data.batchSize
        demand.evaluations = settings.task.distills ? max(1, largest.steps ?? 1) : 1
        demand.recomputes = settings.checkpointing != nil
        demand.trained = shapes?.tensors ?? []
        demand.trainsWeights = !(shapes?.whole.isEmpty ?? true)
        demand.optimizer = settings.optimization.optimizer
        demand.masterWeights = settings.optimization.masterWeights
        demand.averages = settings.optimization.averageDecay != nil
        demand.sharding = processes > 1 ? settings.optimization.sharding : nil
        demand.processes = processes
        demand.frozen = frozen()
        try addEncoding(&demand)
        demand.processBytes = parts.device.kind == .cpu ? EncodingEstimate.process : 0
        return demand
    }

    // MARK: Weights

    private func frozen() -> [FrozenWeights] {
        var found: [FrozenWeights] = []
        if !settings.task.encodesOnly, let part = parts.transformer {
            found.append(weights(part, .transformer, "transformer"))
        }
        guard encodes else { return found }
        if let part = parts.textEncoder {
            found.append(weights(part, .textEncoder, "text encoder"))
        }
        if let part = parts.autoencoder {
            found.append(weights(part, .autoencoder, "autoencoder"))
        }
        return found
    }

    /// - Parameter component: whose trained weights have private memory and are not counted here.
    private func weights<Model>(
        _ part: ModelPart<Model>, _ component: Component, _ name: String
    ) -> FrozenWeights {
        let sizes = part.weights.sizes()
        let all = max(1, part.parameters.reduce(0) { $0 + $1.shape.reduce(1, *) })
        let rest = 1 - Double(shapes?.whole[component] ?? 0) / Double(all)
        func share(_ bytes: Int) -> Int { Int((Double(bytes) * rest).rounded()) }
        let isHost = parts.device.kind == .cpu
        var weights = FrozenWeights(name: "\(name), \(sizes.format)")
        weights.mapped = share(isHost ? sizes.all - sizes.quantized : sizes.host)
        weights.held = share(isHost ? sizes.quantized : sizes.all - sizes.host)
        if !isHost, settings.streamsWeights, component != .autoencoder {
            // Blocks come through two slots.
            let slots = 2 * (sizes.units.map(\.byteCount).max() ?? 0)
            (weights.mapped, weights.held) = (sizes.all - sizes.small, sizes.small + slots)
        }
        weights.scratch = rest > 0 ? sizes.largestConversion * parts.dtype.byteCount : 0
        return weights
    }

    // MARK: Samples

    private func addEncoding(_ demand: inout TrainingEstimateInput) throws {
        guard encodes else { return }
        let footprint = EncodingEstimate(
            dtype: parts.dtype, threads: threads, kind: parts.device.kind)
        if let encoder = parts.textEncoder {
            demand.captionBytes = try footprint.text(
                encoder.model.configuration, length: parts.textLength)
        }
        if let autoencoder = parts.autoencoder, !settings.task.readsEncoded {
            let free = try parts.device.memory().free
            demand.imageBytes =
                try ([largest.image] + largest.references).map {
                    try footprint.image(
                        autoencoder.model.configuration, height: $0.height, width: $0.width,
                        free: free)
                }.max() ?? 0
        }
        demand.keptBytes = kept()
    }

    /// Samples that stay until they come again, and texts, of which a few stay anyway.
    private func kept() -> Int {
        guard !settings.task.encodesOnly, !settings.task.readsEncoded else { return 0 }
        let bytes = parts.dtype.byteCount
        let channels = parts.transformer?.model.configuration.latentChannels ?? 0
        let width = parts.textEncoder?.model.configuration.featureWidth ?? 0
        let text = bytes * parts.textLength * width
        let sample = text + bytes * largest.tokens * channels
        let training = max(0, count - settings.validation.heldOut)
        let all = sample * training
        let held = sample * settings.validation.heldOut
        guard all > settings.data.keptBytes else { return all + held }
        return settings.data.keptBytes / max(1, sample) * sample + min(64, training) * text + held
    }
}
