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
    private var pipeline: Pipeline?

    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        thread.asUnownedSerialExecutor()
    }

    /// - Parameters:
    ///   - dtype: the type that everything is computed in.
    ///   - threads: processor threads for one operation; nil leaves libtorch's choice.
    ///   - promptCache: keeps the features of prompts from one process to the next.
    ///   - memory: how much may be used, and how weights are kept.
    public init(
        _ files: ModelFiles, device: Device = .cpu, dtype: DType, threads: Int? = nil,
        promptCache: PromptCache? = nil, memory: MemorySettings = MemorySettings()
    ) {
        self.files = files
        self.memory = memory
        self.device = device
        self.dtype = dtype
        self.promptCache = promptCache
        if let threads { Runtime.threads = threads }
    }

    /// Whether memory is limited or weights are kept otherwise than in their files.
    nonisolated var isManaged: Bool { memory != MemorySettings() }

    /// Checks that the model's parts are there and belong together; `generate` does it otherwise.
    ///
    /// - Throws: `ModelError`, `SafetensorsError`, `TokenizationError`, `DeviceError`.
    public func open() throws {
        _ = try opened()
    }

    private func opened() throws -> Pipeline {
        if let pipeline { return pipeline }
        try device.prepare()
        let pipeline = try Pipeline(
            files, device: device, dtype: dtype, promptCache: promptCache, memory: memory)
        self.pipeline = pipeline
        return pipeline
    }

    /// Works out what memory a request will take, without loading a weight.
    ///
    /// - Throws: `MemoryError` when it does not fit, and the errors of `generate`.
    public func plan(_ request: GenerationRequest) throws -> MemoryPlan {
        try request.validate()
        let pipeline = try opened()
        try pipeline.loras.read(request.loras) { _ in }
        return try pipeline.plan(request).outcome.plan
    }

    /// Makes one picture.
    ///
    /// - Throws: `RequestError` for settings out of range, `MemoryError` for what does not fit,
    ///   `CancellationError` between layers when the task is cancelled, and the errors of `open()`.
    public func generate(
        _ request: GenerationRequest,
        onEvent: @Sendable (GenerationEvent) -> Void = { _ in }
    ) throws -> GenerationResult {
        try request.validate()
        return try withoutGradients {
            let opening = Clock()
            let pipeline = try opened()
            let load = opening.seconds
            try pipeline.loras.read(request.loras, onEvent)
            let (outcome, settled) = try pipeline.plan(request)
            onEvent(.planned(outcome.plan))
            pipeline.arrange(outcome)
            var run = try GenerationRun(pipeline, settled)
            run.timings.load = load
            return try result(of: &run, outcome.plan, onEvent)
        }
    }

    private func result(
        of run: inout GenerationRun, _ plan: MemoryPlan, _ onEvent: (GenerationEvent) -> Void
    ) throws -> GenerationResult {
        let watch = MemoryWatch()
        defer { _ = watch.stop() }
        var memory = MemoryUse()
        let features = try run.encode(onEvent)
        memory.encode = watch.lap()
        let noise = try run.drawNoise()
        let canvas = try run.prepare(noise, onEvent)
        memory.pictures = run.readsPictures ? watch.lap() : nil
        let latents = try run.denoise(canvas, given: features, onEvent)
        memory.denoise = watch.lap()
        let image = try run.decode(latents, onEvent)
        memory.decode = watch.lap()
        return try GenerationResult(
            image: image, latents: TensorRecord(latents), noise: TensorRecord(noise),
            timings: run.timings, memory: memory, plan: plan, streamed: run.streamed)
    }
}
