internal import Flux2
internal import FluxModels
internal import Foundation
public import Torch

/// Settings for training a LoRA that suit a model, a data set and a machine.
///
/// Unlike the defaults of `flux2 train`, which are DiffSynth-Studio's, these take what the package does
/// better: exact losses, master weights, clipped gradients, a schedule, held-out samples, a report.
public struct Recipe: Sendable {
    /// The model.
    public let model: RecipeModel
    /// The samples.
    public let data: DatasetSummary
    /// The rank of the LoRA: more for more data.
    public let rank: Int
    /// Samples that are held out.
    public let heldOut: Int
    /// The largest area of images.
    public let maxPixels: Int
    /// Samples side by side.
    public let batchSize: Int
    /// Micro-batches for an update.
    public let accumulation: Int
    /// Passes through the samples.
    public let epochs: Int
    /// Micro-steps of all epochs.
    public let steps: Int
    /// Updates by which the rate has grown.
    public let warmup: Int
    /// Whether blocks are recomputed by gradient checkpointing.
    public let recomputes: Bool
    /// What the run is expected to take, encoders apart, in bytes.
    public let memory: Int
    /// What was free when the choice was made.
    public let free: Int

    /// Chooses.
    ///
    /// - Parameters:
    ///   - free: bytes of memory where the model will be trained.
    ///   - dtype: the type that will be computed in.
    public init(
        model: RecipeModel, data: DatasetSummary, free: Int, dtype: DType = .bfloat16
    ) {
        self.model = model
        self.data = data
        self.free = free
        heldOut = data.count < 10 ? 0 : min(16, data.count / 10)
        let samples = data.count - heldOut
        let size = DataSize(samples)
        rank = size.rank
        let room = RecipeRoom(
            model: model, data: data, rank: size.rank, free: free, dtype: dtype)
        let fit = room.best(together: size.together)
        maxPixels = fit.maxPixels
        recomputes = fit.recomputes
        memory = fit.bytes
        batchSize = fit.batchSize
        accumulation = size.together / fit.batchSize
        epochs = max(1, (size.updates * size.together + samples - 1) / samples)
        let counts = Dictionary(data.measures.prefix(samples).map { ($0.key, 1) }) { $0 + $1 }
        let batches = counts.values.reduce(0) { $0 + ($1 + fit.batchSize - 1) / fit.batchSize }
        steps = batches * epochs
        let updates = (batches + accumulation - 1) / accumulation * epochs
        warmup = min(100, max(1, updates / 20))
    }

    /// Micro-steps between checkpoints, looks and images: ten times in all, where an update ends.
    public var interval: Int {
        max(1, steps / 10 / accumulation) * accumulation
    }

    /// The most frequent size, made no larger than 512x512 or than what the model draws.
    var sampleSize: SampleMeasure.Size {
        guard let common = data.sizes.first?.size else { return .init(width: 512, height: 512) }
        let area = Double(common.width * common.height)
        let scale = min(1, (Double(min(512 * 512, model.area)) / area).squareRoot())
        func side(_ pixels: Int) -> Int { max(16, Int(Double(pixels) * scale) / 16 * 16) }
        return .init(width: side(common.width), height: side(common.height))
    }
}

/// What follows from the number of samples alone.
private struct DataSize {
    let rank: Int
    /// Samples for an update.
    let together: Int
    let updates: Int

    init(_ samples: Int) {
        switch samples {
        case ..<8: (rank, together, updates) = (8, 1, 500)
        case ..<20: (rank, together, updates) = (8, 2, 500)
        case ..<100: (rank, together, updates) = (16, 4, 1000)
        case ..<1000: (rank, together, updates) = (32, 4, 2000)
        default: (rank, together, updates) = (64, 4, 4000)
        }
    }
}

/// What fits into memory.
private struct RecipeRoom {
    struct Fit {
        var batchSize: Int
        var recomputes: Bool
        var maxPixels: Int
        var bytes = 0
    }

    let model: RecipeModel
    let data: DatasetSummary
    let rank: Int
    let free: Int
    let dtype: DType

    /// The fastest way that leaves a fifth of what is free; the smallest where none does.
    func best(together: Int) -> Fit {
        let large = model.area
        // Images of many sizes make batches that are not full.
        let sizes = Set(data.measures.map(\.key)).count
        let batch = sizes * 2 * together <= data.count ? together : 1
        let ways = [
            Fit(batchSize: batch, recomputes: false, maxPixels: large),
            Fit(batchSize: 1, recomputes: false, maxPixels: large),
            Fit(batchSize: 1, recomputes: true, maxPixels: large),
            Fit(batchSize: 1, recomputes: true, maxPixels: large / 4),
        ].map { way in
            var way = way
            way.bytes = bytes(way)
            return way
        }
        return ways.first { $0.bytes <= free / 5 * 4 } ?? ways[ways.count - 1]
    }

    private func bytes(_ fit: Fit) -> Int {
        let largest = data.largest ?? SampleMeasure(image: .init(width: 1024, height: 1024))
        var demand = TrainingEstimateInput(
            model.transformer,
            imageTokens: min(largest.image.tokens, fit.maxPixels / 256))
        demand.referenceTokens = largest.referenceTokens
        demand.batchSize = fit.batchSize
        demand.dtype = dtype
        demand.recomputes = fit.recomputes
        demand.masterWeights = .float32
        demand.trained = model.targets.shapes.flatMap { [[rank, $0[1]], [$0[0], rank]] }
        demand.processBytes = EncodingEstimate.process
        return TrainingMemoryEstimate(demand).peak
    }
}
