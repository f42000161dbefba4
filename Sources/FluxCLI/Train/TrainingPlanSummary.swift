import FluxTraining
import Torch

/// The object that `flux2 train --dry-run --json` prints.
struct TrainingPlanSummary: Encodable {
    struct Sample: Encodable {
        var width: Int
        var height: Int
        var tokens: Int
        var referenceTokens: Int

        init(_ sample: SampleMeasure) {
            (width, height) = (sample.image.width, sample.image.height)
            (tokens, referenceTokens) = (sample.image.tokens, sample.referenceTokens)
        }
    }

    /// What is trained, in words.
    var trained: String
    var samples: Int
    var heldOut: Int
    var largest: Sample
    var batchSize: Int
    var steps: Int
    var updates: Int
    var values: Int
    var tensors: Int
    var processes: Int
    var device: String
    var parts: [TrainingMemoryEstimate.Part]
    var peakBytes: Int
    var mappedBytes: Int
    var freeBytes: Int?
    /// What peak and parts leave out.
    var uncounted: [String]
    /// Nil where nothing is updated.
    var secondsPerStep: Double?
    var secondsPerCaption: Double?
}

extension TrainingPlanTable {
    /// All of it for programs.
    var summary: TrainingPlanSummary {
        let (outline, estimate, work) = (plan.outline, plan.estimate, plan.work)
        return TrainingPlanSummary(
            trained: plan.method, samples: outline.samples, heldOut: plan.heldOut,
            largest: .init(plan.largest), batchSize: plan.demand.batchSize, steps: outline.steps,
            updates: outline.updates, values: outline.trained, tensors: outline.tensors,
            processes: outline.processes, device: device.description, parts: estimate.parts,
            peakBytes: estimate.peak, mappedBytes: estimate.bytes(.mapped), freeBytes: free,
            uncounted: plan.uncounted, secondsPerStep: outline.updates > 0 ? work.step / rate : nil,
            secondsPerCaption: work.caption > 0 && plan.encodes ? work.caption / rate : nil)
    }
}
