internal import FluxModels
internal import Torch

/// What a step computes: from the samples of a micro-batch to a loss with gradients.
protocol TrainingObjective {
    /// The mean over the samples.
    func loss(_ batch: [DrawnSample], epoch: Int, observe: Observer) throws -> Tensor
    /// Takes over what else follows from the samples, once an update has been made with them.
    func settle(_ group: ProcessGroup) throws
}

extension TrainingObjective {
    func settle(_ group: ProcessGroup) throws {}
}

/// A sample as it was read, with its place in the epoch.
typealias DrawnSample = (placed: PlacedSample, loaded: LoadedSample)

/// The velocity of a flow, or a distilled one: encodes samples and hands them to the task's objective.
struct DiffusionObjective: TrainingObjective {
    let objective: DiffusionLoss
    let encoder: SampleEncoder
    let sampler: NoiseSampler
    let parts: TrainingParts

    func loss(_ batch: [DrawnSample], epoch: Int, observe: Observer) throws -> Tensor {
        let encoded = try encoded(batch.map(\.loaded))
        let samples = zip(batch, encoded).map { drawn, sample in
            (
                sample: sample,
                begin: { [sampler] in
                    try sampler.begin(epoch: epoch, place: drawn.placed.place)
                    return sampler
                }
            )
        }
        return try objective.loss(samples, observe: observe)
    }

    private func encoded(_ loaded: [LoadedSample]) throws -> [EncodedSample] {
        let items = loaded.compactMap(\.item)
        // A source gives samples of one kind.
        guard items.count < loaded.count else { return try encoder(items) }
        return try loaded.map { try $0.encoded(encoder, parts) }
    }
}

extension LoadedSample {
    /// A sample that is still to be encoded.
    var item: TrainingItem? {
        if case .item(let item) = self { return item }
        return nil
    }
}
