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
    private var pipeline: Pipeline?

    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        thread.asUnownedSerialExecutor()
    }

    /// - Parameters:
    ///   - dtype: the type that everything is computed in.
    ///   - threads: processor threads for one operation; nil leaves libtorch's choice.
    ///   - promptCache: keeps the features of prompts from one process to the next.
    public init(
        _ files: ModelFiles, device: Device = .cpu, dtype: DType, threads: Int? = nil,
        promptCache: PromptCache? = nil
    ) {
        self.files = files
        self.device = device
        self.dtype = dtype
        self.promptCache = promptCache
        if let threads { Runtime.threads = threads }
    }

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
            files, device: device, dtype: dtype, promptCache: promptCache)
        self.pipeline = pipeline
        return pipeline
    }

    /// Makes one picture.
    ///
    /// - Throws: `RequestError` for settings out of range, `CancellationError` between layers when
    ///   the task is cancelled, and the errors of `open()`.
    public func generate(
        _ request: GenerationRequest,
        onEvent: @Sendable (GenerationEvent) -> Void = { _ in }
    ) throws -> GenerationResult {
        try request.validate()
        return try withoutGradients {
            let opening = Clock()
            var run = try GenerationRun(opened(), request)
            run.timings.load = opening.seconds
            try run.readLoRAs(onEvent)
            let watch = MemoryWatch()
            defer { _ = watch.stop() }
            var memory = MemoryUse()
            let features = try run.encode(onEvent)
            memory.encode = watch.lap()
            let noise = try run.drawNoise()
            let canvas = try run.prepare(noise, onEvent)
            memory.pictures = request.readsPictures ? watch.lap() : nil
            let latents = try run.denoise(canvas, given: features, onEvent)
            memory.denoise = watch.lap()
            let image = try run.decode(latents, onEvent)
            memory.decode = watch.lap()
            return try GenerationResult(
                image: image, latents: TensorRecord(latents), noise: TensorRecord(noise),
                timings: run.timings, memory: memory)
        }
    }
}
