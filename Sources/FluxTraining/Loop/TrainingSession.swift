internal import TrainingLogs
internal import Flux2
internal import FluxModels
internal import Foundation
internal import LoRA
internal import Torch

/// One run of a trainer: what it works with, and how far it is.
final class TrainingSession {
    let settings: TrainingSettings
    let parts: TrainingParts
    let group: ProcessGroup
    let weights: TrainableWeights
    let updater: Updater
    let objective: any TrainingObjective
    let validator: any Validator
    let sampler: NoiseSampler
    let source: any SampleSource
    /// By sample, what those in one batch have in common; none where each is by itself.
    private let keys: [String]
    let outline: TrainingOutline
    let identity: RunIdentity
    /// What the samples are made of.
    let rows: [RowIdentity]
    let onEvent: @Sendable (TrainingEvent) -> Void
    private(set) var logs: RunLogs?
    var progress = TrainingProgress()
    /// What would be resumed from: the progress and the draws at the last update.
    var boundary: (progress: TrainingProgress, sampler: [String: [UInt8]])
    /// Updates of the newest state in the folder; nil where there is none that is sound.
    var savedUpdates: Int?

    /// Sets everything up, so that nothing but memory and data can fail later.
    init(
        _ settings: TrainingSettings, _ files: TrainingFiles, _ parts: TrainingParts,
        _ survey: SampleSurvey, group: ProcessGroup,
        onEvent: @escaping @Sendable (TrainingEvent) -> Void
    ) throws {
        self.settings = settings
        self.parts = parts
        self.group = group
        self.onEvent = onEvent
        weights = try TrainableWeights(parts, settings, onEvent)
        sampler = try NoiseSampler(
            seed: settings.seed, order: settings.drawOrder, device: parts.device)
        let (training, held) = try Self.divided(survey.source, settings.validation.heldOut)
        source = training
        keys = settings.data.batchSize == 1 ? [] : try Self.keys(of: training, onEvent)
        let subject = TaskFactory(settings, parts, weights, sampler, onEvent)
        (objective, validator) = try subject.objective(heldOut: held)
        let plan = try Self.plan(settings, group, source.count, keys, epoch: 0)
        let updates =
            plan.updates(accumulation: settings.optimization.accumulation)
            * settings.optimization.epochs
        updater = try Updater(
            settings.optimization, weights, updates: updates, seed: settings.seed, group: group)
        outline = TrainingOutline(
            samples: source.count, steps: plan.batches.count * settings.optimization.epochs,
            updates: updates, trained: weights.count, tensors: weights.parameters.count,
            stateBytes: updater.optimizer.stateByteCount, processes: group.size)
        identity = try RunIdentity(
            settings, files, weights, dtype: parts.dtype.name, processes: group.size)
        rows = survey.rows
        boundary = (progress, try sampler.state())
        if let remark = try RoundingRemark(settings, weights).text { onEvent(.warned(remark)) }
    }

    /// The last samples are held out.
    private static func divided(
        _ source: any SampleSource, _ heldOut: Int
    ) throws -> (training: any SampleSource, held: [LoadedSample]) {
        guard heldOut > 0 else { return (source, []) }
        guard heldOut < source.count else {
            throw TrainingError(
                reason: .unfit(
                    "--validation_split \(heldOut) leaves none of \(source.count) samples"))
        }
        let kept = source.count - heldOut
        return (
            SampleSelection(source: source, numbers: Array(0..<kept)),
            try (kept..<source.count).map { try source.load($0) }
        )
    }

    private static func keys(
        of source: any SampleSource, _ onEvent: (TrainingEvent) -> Void
    ) throws -> [String] {
        try (0..<source.count).map { number in
            defer { onEvent(.readSizes(done: number + 1, of: source.count)) }
            return try source.measure(number).key
        }
    }

    private static func plan(
        _ settings: TrainingSettings, _ group: ProcessGroup, _ count: Int, _ keys: [String],
        epoch: Int, seed: UInt64? = nil
    ) throws -> EpochPlan {
        let order = DataOrder(count: count, repeats: settings.data.repeats, seed: settings.seed)
        return try EpochPlan(
            order: order.samples(epoch: epoch, seed: seed), batchSize: settings.data.batchSize,
            rank: group.rank, processes: group.size
        ) { keys[$0] }
    }

    /// The micro-batches of the epoch that the run is in.
    func presentPlan() throws -> EpochPlan {
        try Self.plan(
            settings, group, source.count, keys, epoch: progress.epoch, seed: progress.orderSeed)
    }

    /// Opens the logs, once it is known from where the run goes on.
    func openLogs(continuingAfter step: Int) throws {
        guard group.isFirst else { return }
        logs = try RunLogs(
            settings.output, title: title, facts: facts, totalSteps: outline.steps,
            continuingAfter: step)
    }

    private var title: String {
        let what = settings.method.loraBase == nil ? "full training" : "LoRA"
        return "\(settings.output.baseModel ?? "FLUX.2"): \(what)"
    }

    private var facts: [(name: String, value: String)] {
        [
            ("task", settings.task.rawValue), ("samples", "\(outline.samples)"),
            ("trained", "\(outline.trained) values in \(outline.tensors) tensors"),
            ("optimizer", settings.optimization.optimizer.rawValue),
            ("learning rate", "\(settings.optimization.learningRate)"),
            ("device", "\(parts.device), \(parts.dtype.name)"), ("seed", "\(settings.seed)"),
        ]
    }
}

extension TrainableWeights {
    /// Prepares all that is trained, in DiffSynth-Studio's order: checkpoint, preset, what is
    /// trained, and the file to go on from.
    convenience init(
        _ parts: TrainingParts, _ settings: TrainingSettings, _ onEvent: (TrainingEvent) -> Void
    ) throws {
        self.init(parts)
        let method = settings.method
        if let path = method.weightsCheckpoint {
            try restoreWeights(
                path, prefix: settings.output.removedPrefix,
                leavesLoRA: path == method.loraCheckpoint)
        }
        if let path = method.presetLoRA, let component = method.presetComponent {
            let file = try LoRAFile(path: path)
            let unmatched = try preset(file, on: component)
            if !method.presetMayBePartial { try file.requireAllBlocks(without: unmatched) }
            Self.warn(path, unmatched, onEvent)
        }
        for place in method.trained { try train(place) }
        if settings.task == .autoencoder {
            try train(TrainableModule("vae.bn", option: "--trainable_models"))
        }
        guard let base = method.loraBase else { return }
        try addAdapters(
            to: base, targets: method.loraTargets, rank: method.loraRank,
            alpha: method.appliedAlpha,
            seed: settings.seed)
        guard let path = method.loraCheckpoint else { return }
        let file = try LoRAFile(path: path)
        let (unused, absent) = try load(file)
        // Whole weights in it have been taken where it is the full checkpoint, too.
        let others = path == method.weightsCheckpoint ? [] : file.foreignTensors
        Self.warn(path, unused + others, onEvent)
        if let first = absent.first {
            onEvent(
                .warned(
                    "\(path): has nothing for \(absent.count) of the trained layers, such as "
                        + "'\(first)', which begin anew"))
        }
    }

    private static func warn(
        _ path: String, _ unused: [String], _ onEvent: (TrainingEvent) -> Void
    ) {
        guard let first = unused.first else { return }
        onEvent(
            .warned(
                "\(path): \(unused.count) names, such as '\(first)', are not trained here and have "
                    + "no effect"))
    }
}
