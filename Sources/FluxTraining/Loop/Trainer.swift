internal import Domains
internal import FileSupport
internal import Flux2
internal import Foundation
public import Torch

/// Runs a training task; every tensor stays on one thread.
public actor Trainer {
    private nonisolated let thread = TensorThread(name: "flux2.training")
    private let settings: TrainingSettings
    private let files: TrainingFiles
    private let device: Device
    private let dtype: DType
    private let threads: Int?

    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        thread.asUnownedSerialExecutor()
    }

    /// - Parameters:
    ///   - dtype: the type that is computed in, and of what is trained.
    ///   - threads: processor threads for one operation; nil leaves libtorch's choice.
    public init(
        _ settings: TrainingSettings, _ files: TrainingFiles, device: Device = .cpu,
        dtype: DType = .bfloat16, threads: Int? = nil
    ) {
        self.settings = settings
        self.files = files
        self.device = device
        self.dtype = dtype
        self.threads = threads
        if let threads { Runtime.threads = threads }
    }

    /// What has come of a run.
    public struct Outcome: Hashable, Sendable {
        /// The last checkpoint, or the folder of encoded samples; nil where another process wrote it.
        public var path: String?
        /// Micro-steps of this process, or samples that were encoded.
        public var steps: Int
        /// Whether it was stopped before its end, so that it can be resumed.
        public var isUnfinished = false
    }

    /// Does the whole task.
    ///
    /// When the task that runs this is cancelled, the state of the last update is written first.
    ///
    /// - Throws: `TrainingError`, `DataError`, `RequestError`, `ModelError`, `LoRAError`,
    ///   `LoRATargetError`, `OptimizerError`, `DistributedError`, `FileError`; `CancellationError`.
    public func run(
        onEvent: @escaping @Sendable (TrainingEvent) -> Void = { _ in }
    ) async throws -> Outcome {
        try settings.check()
        try NumericSetting.threads.require(threads)
        let environment = try DistributedEnvironment.read()
        // Only the first process writes to the folder itself, and only it can claim it.
        let claim = try environment.map { $0.rank == 0 } ?? true ? claim(onEvent) : nil
        defer { withExtendedLifetime(claim) {} }
        try device.prepare()
        // Others wait while the first process makes images and writes checkpoints.
        let group = try ProcessGroup(environment, device: device, timeout: .seconds(1800))
        let earlier = try EarlierRun(settings, onEvent: onEvent)
        let survey =
            try earlier.map {
                try SampleSurvey(
                    settings, referenceArea: files.referenceArea, goingOnFrom: $0.state.rows,
                    path: $0.path, onEvent: onEvent)
            } ?? SampleSurvey(settings, referenceArea: files.referenceArea, onEvent: onEvent)
        let parts = try TrainingParts(files, device: device, dtype: dtype)
        let remarks = TrainingRemarks(settings: settings, files: files, parts: parts)
        for remark in try remarks.all() { onEvent(.warned(remark)) }
        if settings.streamsWeights, device.kind != .cpu { parts.stream() }
        if settings.task.encodesOnly {
            return try await encode(survey.source, parts, group, onEvent)
        }
        let session = try TrainingSession(
            settings, files, parts, survey, group: group, onEvent: onEvent)
        let outcome = try await session.run(goingOnFrom: earlier)
        try group.barrier()
        return outcome
    }

    /// Proves that the output can be written, and keeps other trainings out of it.
    private func claim(_ onEvent: (TrainingEvent) -> Void) throws -> FolderClaim {
        try settings.checkOutput()
        return try TrainingFolder(path: settings.output.folder).claim(onEvent: onEvent)
    }

    private func encode(
        _ source: any SampleSource, _ parts: TrainingParts, _ group: ProcessGroup,
        _ onEvent: @escaping @Sendable (TrainingEvent) -> Void
    ) async throws -> Outcome {
        let encoder = SampleEncoder(parts, limit: settings.data.keptBytes)
        encoder.warn(through: onEvent)
        let run = EncodingRun(
            settings: settings, parts: parts, encoder: encoder, group: group,
            models: try files.identity(dtype: dtype.name))
        if group.isFirst { try run.begin() }
        let result = try await run(source, onEvent: onEvent)
        if result.present > 0 {
            onEvent(.warned("\(result.present) samples were encoded before and stay"))
        }
        try group.barrier()
        if group.isFirst { try run.finish() }
        return Outcome(path: settings.output.folder, steps: result.encoded)
    }
}
