internal import Flux2
internal import FluxModels
internal import Foundation
public import Torch

/// What a run would do and take, told before a weight is read.
public struct TrainingPlan: Sendable {
    /// Samples, steps, and what is trained.
    public let outline: TrainingOutline
    /// What is trained, in words.
    public let method: String
    /// The sample with the most tokens; nil where nothing but its number is known.
    public let largest: SampleMeasure
    /// Samples that are held out.
    public let heldOut: Int
    /// What memory and work follow from.
    public let demand: TrainingEstimateInput
    /// Memory, part by part.
    public let estimate: TrainingMemoryEstimate
    /// Operations of a step with a batch of the largest sample.
    public let work: StepWork
    /// Whether captions and images are encoded.
    public let encodes: Bool
    /// What is there besides and was not counted.
    public let uncounted: [String]

    /// Looks at headers, configurations and the sizes of images.
    ///
    /// - Parameters:
    ///   - processes: how many work together.
    ///   - threads: of one operation; nil leaves libtorch's choice.
    /// - Throws: what the run would throw before its first step.
    public init(
        _ settings: TrainingSettings, _ files: TrainingFiles, device: Device = .cpu,
        dtype: DType = .bfloat16, processes: Int = 1, threads: Int? = nil,
        onEvent: (TrainingEvent) -> Void = { _ in }
    ) throws {
        try settings.check()
        guard settings.task != .autoencoder else {
            throw TrainingError(reason: .unfit("--dry-run is not for --task vae"))
        }
        let parts = try TrainingParts(files, device: device, dtype: dtype)
        let remarks = TrainingRemarks(settings: settings, files: files, parts: parts)
        for remark in try remarks.all() { onEvent(.warned(remark)) }
        let samples = try MeasuredSamples(settings, files, onEvent)
        let shapes = try settings.task.encodesOnly ? nil : TrainableShapes(settings.method, parts)
        heldOut = settings.task.encodesOnly ? 0 : settings.validation.heldOut
        largest = samples.largest
        encodes = !settings.task.readsEncoded || !settings.validation.prompts.isEmpty
        demand = try TrainingEstimateReader(
            settings: settings, parts: parts, shapes: shapes, largest: largest,
            count: samples.measures.count, encodes: encodes, processes: processes,
            threads: threads ?? Runtime.threads
        ).demand()
        estimate = TrainingMemoryEstimate(demand)
        work = StepWork(demand, encoder: parts.textEncoder?.model.configuration)
        outline = try samples.outline(settings, demand, processes)
        method = Self.words(settings, shapes)
        uncounted = Self.uncounted(settings, shapes)
    }

    private static func words(_ settings: TrainingSettings, _ shapes: TrainableShapes?) -> String {
        guard let shapes else { return "nothing; samples are encoded" }
        var words = shapes.whole.keys.map(\.rawValue).sorted().map { "\($0) itself" }
        if shapes.adapted > 0 {
            words.append(
                "a LoRA of rank \(settings.method.loraRank) on \(shapes.adapted) matrices")
        }
        return words.joined(separator: ", ")
    }

    private static func uncounted(
        _ settings: TrainingSettings, _ shapes: TrainableShapes?
    ) -> [String] {
        var found: [String] = []
        for component in [Component.textEncoder, .autoencoder]
        where shapes?.whole[component] != nil {
            found.append("what gradients of the \(component.rawValue) need")
        }
        if settings.method.presetLoRA != nil {
            found.append("weights that --preset_lora_path changes, which are copied")
        }
        if !settings.validation.prompts.isEmpty {
            found.append("images that are made in between")
        }
        return found
    }
}

/// The sizes of all samples.
struct MeasuredSamples {
    /// All that can be read.
    let measures: [SampleMeasure]
    /// The one with the most tokens.
    let largest: SampleMeasure

    init(
        _ settings: TrainingSettings, _ files: TrainingFiles, _ onEvent: (TrainingEvent) -> Void
    ) throws {
        let source = try settings.source(referenceArea: files.referenceArea)
        for remark in source.remarks { onEvent(.warned(remark)) }
        var found: [SampleMeasure] = []
        for number in 0..<source.count {
            do {
                found.append(try source.measure(number))
            } catch  where settings.data.skipsUnreadable {
                onEvent(.warned("left out: \(error)"))
            }
            onEvent(.readSizes(done: number + 1, of: source.count))
        }
        guard let largest = found.max(by: { $0.tokens < $1.tokens }) else {
            throw DataError(path: settings.data.base, reason: .empty("no sample can be read"))
        }
        measures = found
        self.largest = largest
    }

    /// Counts as a run does, for its first process.
    func outline(
        _ settings: TrainingSettings, _ demand: TrainingEstimateInput, _ processes: Int
    ) throws -> TrainingOutline {
        let heldOut = settings.task.encodesOnly ? 0 : settings.validation.heldOut
        let count = measures.count - heldOut
        guard count > 0 else {
            throw TrainingError(
                reason: .unfit(
                    "--validation_split \(heldOut) leaves none of \(measures.count) samples"))
        }
        let order = DataOrder(
            count: count, repeats: settings.data.repeats, seed: settings.seed)
        let plan = try EpochPlan(
            order: order.samples(epoch: 0), batchSize: settings.data.batchSize, rank: 0,
            processes: processes
        ) { measures[$0].key }
        let epochs = settings.task.encodesOnly ? 1 : settings.optimization.epochs
        let updates = plan.updates(accumulation: settings.optimization.accumulation) * epochs
        let state = OptimizerFootprint(demand)
        return TrainingOutline(
            samples: count, steps: plan.batches.count * epochs,
            updates: settings.task.encodesOnly ? 0 : updates, trained: demand.trainedCount,
            tensors: demand.trained.count, stateBytes: state.moments + state.companions,
            processes: processes)
    }
}
