internal import Domains
internal import FileSupport
internal import FluxModels
internal import Imaging
public import Torch

/// Owns a model and keeps every tensor on one thread.
public actor Engine {
    private nonisolated let thread = TensorThread()
    private let files: ModelFiles
    private let device: Device
    private let dtype: DType
    private let promptCache: PromptCache?
    private let memory: MemorySettings
    private let weightCache: WeightCache?
    private let threads: Int?
    private var pipeline: Pipeline?

    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        thread.asUnownedSerialExecutor()
    }

    /// - Parameters:
    ///   - dtype: the type that everything is computed in.
    ///   - threads: processor threads for one operation; nil leaves libtorch's choice.
    ///   - promptCache: keeps the features of prompts from one process to the next.
    ///   - memory: how much may be used, and how weights are kept.
    ///   - weightCache: keeps 8-bit weights from one process to the next; nil keeps them in memory.
    public init(
        _ files: ModelFiles, device: Device = .cpu, dtype: DType, threads: Int? = nil,
        promptCache: PromptCache? = nil, memory: MemorySettings = MemorySettings(),
        weightCache: WeightCache? = nil
    ) {
        self.files = files
        self.weightCache = weightCache
        self.memory = memory
        self.device = device
        self.dtype = dtype
        self.promptCache = promptCache
        self.threads = threads
        if let threads { Runtime.threads = threads }
    }

    /// Whether memory is limited or weights are kept otherwise than in their files.
    nonisolated var isManaged: Bool { memory != MemorySettings() }

    /// Checks that the model's parts are there and belong together; `generate` does it otherwise.
    ///
    /// - Throws: `ModelError`, `SafetensorsError`, `TokenizationError`, `DeviceError`.
    public func open() throws {
        _ = try pipeline ?? unquantizedPipeline()
    }

    /// A pipeline to ask, before weights are quantized to 8 bits.
    private func unquantizedPipeline() throws -> Pipeline {
        try NumericSetting.threads.require(threads)
        try device.prepare()
        return try Pipeline(
            files, device: device, dtype: dtype, promptCache: promptCache, memory: memory,
            quantizedWillBeMapped: weightCache != nil)
    }

    func openPipeline(_ onEvent: (GenerationEvent) -> Void = { _ in }) throws -> Pipeline {
        if let pipeline { return pipeline }
        try NumericSetting.threads.require(threads)
        try device.prepare()
        let pipeline = try Pipeline(
            quantizedFiles(onEvent), device: device, dtype: dtype, promptCache: promptCache,
            memory: memory)
        self.pipeline = pipeline
        return pipeline
    }

    /// The files of the model, with those in 8 bits in place of those that are kept so.
    ///
    /// The image does not need them to be kept, so it does not fail with it.
    private func quantizedFiles(_ onEvent: (GenerationEvent) -> Void) throws -> ModelFiles {
        guard let weightCache else { return files }
        var files = files
        func found(_ component: Component, _ paths: [String]) throws -> [String] {
            guard let storage = memory.storage[component], storage != .asStored else {
                return paths
            }
            do {
                let path = try withoutActuallyEscaping(onEvent) { onEvent in
                    try weightCache.weights(of: component, paths, as: storage) { event in
                        try Task.checkCancellation()
                        onEvent(event)
                    }
                }
                if path == nil { onEvent(.warned(Self.changesNothing(storage, of: component))) }
                return path.map { [$0] } ?? paths
            } catch let error as FileError {
                onEvent(.warned("8-bit weights are not kept for the next time: \(error)"))
                return paths
            }
        }
        files.transformer = try found(.transformer, files.transformer)
        files.textEncoder = try found(.textEncoder, files.textEncoder)
        return files
    }

    /// Says that weights which are no matrices of 16 or 32 bits stay as they are.
    private static func changesNothing(_ storage: WeightStorage, of part: Component) -> String {
        "keeping weights of the \(part.rawValue) as \(storage.name) changes nothing: they are not "
            + "of 16 or 32 bits"
    }

    /// Works out what memory a request will take, without loading a weight.
    ///
    /// - Parameter onEvent: told what is worth a warning.
    /// - Throws: `MemoryError` when it does not fit, and the errors of `generate`.
    public func plan(
        _ request: GenerationRequest, onEvent: @Sendable (GenerationEvent) -> Void = { _ in }
    ) throws -> MemoryPlan {
        try request.validate()
        let pipeline = try pipeline ?? unquantizedPipeline()
        pipeline.remarks(on: request).forEach { onEvent(.warned($0)) }
        try pipeline.loras.read(request.loras, onEvent)
        return try pipeline.plan(withModelDefaults(request)).outcome.plan
    }

    /// Makes one image.
    ///
    /// - Throws: `RequestError` for settings out of range, `MemoryError` for what does not fit,
    ///   `CancellationError` between layers when the task is cancelled, and the errors of `open()`.
    public func generate(
        _ request: GenerationRequest,
        onEvent: @Sendable (GenerationEvent) -> Void = { _ in }
    ) throws -> GenerationResult {
        try request.validate()
        var warnings: [String] = []
        func tell(_ event: GenerationEvent) {
            if case .warned(let text) = event, !warnings.contains(text) { warnings.append(text) }
            onEvent(event)
        }
        var result = try makeResult(request, tell)
        result.warnings = warnings
        return result
    }

    private func makeResult(
        _ request: GenerationRequest, _ onEvent: (GenerationEvent) -> Void
    ) throws -> GenerationResult {
        let request = withModelDefaults(request)
        return try withoutGradients {
            let opening = Stopwatch()
            let pipeline = try openPipeline(onEvent)
            let load = opening.seconds
            pipeline.remarks(on: request).forEach { onEvent(.warned($0)) }
            if let remark = PipelineClass.remark(
                on: files.pipelineClass, references: !request.editImages.isEmpty)
            {
                onEvent(.warned(remark))
            }
            try pipeline.loras.read(request.loras, onEvent)
            let (outcome, settled) = try pipeline.plan(request)
            onEvent(.planned(outcome.plan))
            try pipeline.place(outcome)
            var run = try GenerationRun(pipeline, settled)
            try run.refuseFusing()
            run.timings.load = load
            run.onStep = onStep
            var retry = OutOfMemoryRetry(pipeline, request, outcome)
            return try result(of: &run, &retry, onEvent)
        }
    }

    /// The request with what follows from the model.
    private func withModelDefaults(_ request: GenerationRequest) -> GenerationRequest {
        var request = request
        request.referenceArea = files.referenceArea
        return request
    }

    private func result(
        of run: inout GenerationRun, _ retry: inout OutOfMemoryRetry,
        _ onEvent: (GenerationEvent) -> Void
    ) throws -> GenerationResult {
        let watch = PeakMemorySampler()
        defer { _ = watch.stop() }
        var memory = MemoryUse()
        var (work, counter) = (StageWork(), OperationCounter())
        let features = try retry.attempt("encode", &run, onEvent) { try $0.encode(onEvent) }
        memory.encode = watch.takePeak()
        work.encode = counter.takeCounts()
        let noise = try run.drawNoise()
        let prepared = try retry.attempt("pictures", &run, onEvent) {
            try $0.prepare(noise, onEvent)
        }
        memory.images = run.readsImages ? watch.takePeak() : nil
        work.images = counter.takeCounts()
        let latents = try retry.attempt("denoise", &run, onEvent) {
            try $0.denoise(prepared, given: features, onEvent)
        }
        memory.denoise = watch.takePeak()
        work.denoise = counter.takeCounts()
        let image = try retry.attempt("decode", &run, onEvent) {
            try $0.decode(latents, onEvent)
        }
        memory.decode = watch.takePeak()
        work.decode = counter.takeCounts()
        return try GenerationResult(
            image: image, latents: HostTensor(latents), noise: HostTensor(noise),
            timings: run.timings, memory: memory, work: work, plan: retry.plan,
            streamed: run.streamed, skippedSteps: run.skippedSteps)
    }

    /// Sees every step; for tests.
    var onStep: (DenoisedStep) throws -> Void = { _ in }
    func setOnStep(_ body: sending @escaping (DenoisedStep) throws -> Void) { onStep = body }
}
