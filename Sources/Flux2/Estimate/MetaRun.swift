internal import FluxModels
internal import Torch

/// Runs the stages of a generation with tensors that have no values, and counts what they allocate.
///
/// The code is that of ``GenerationRun``: the same stages and networks on the device that holds nothing.
struct MetaRun {
    private let demand: MemoryEstimateInput
    private let kind: Device.Kind
    private let allocator: HostAllocator
    private let adapters: MetaAdapters
    private let counter: AllocationCounter
    private let encoder: MetaModel<TextEncoder>
    private let transformer: MetaModel<FluxTransformer>
    private let autoencoder: MetaModel<Autoencoder>
    private var found: [StageMemory] = []
    /// What stages allocate above what was there before, at most.
    private(set) var peaks: [StageMemory.Stage: Int] = [:]

    init(
        _ demand: MemoryEstimateInput, _ kind: Device.Kind, _ allocator: HostAllocator,
        _ adapters: MetaAdapters
    ) throws {
        self.demand = demand
        self.kind = kind
        self.allocator = allocator
        self.adapters = adapters
        counter = AllocationCounter(standingFor: kind, threads: demand.threads)
        let model = demand.model
        encoder = try MetaModel(demand.dtype) { TextEncoder($0, model.textEncoder) }
        transformer = try MetaModel(demand.dtype) { FluxTransformer($0, model.transformer) }
        autoencoder = try MetaModel(demand.dtype) { Autoencoder($0, model.autoencoder) }
        encoder.put(adapters.beside[.textEncoder] ?? [:])
        autoencoder.put(adapters.beside[.autoencoder] ?? [:])
    }

    mutating func stages() throws -> [StageMemory] {
        let counter = counter
        return try withoutGradients {
            try counter.counting { try passed() }
        }
    }

    private mutating func passed() throws -> [StageMemory] {
        let loras = try bytes(demand.loraBytes)
        let features = try encode()
        for image in 0...min(demand.formerImages, 1) {
            if image > 0 { found = found.filter { $0.stage == .encode } }
            let former = try bytes(3 * pixels * demand.formerImages)
            let prepared = try prepare()
            let latents = try denoise(prepared, features)
            try decode(latents)
            withExtendedLifetime((former, prepared)) {}
        }
        withExtendedLifetime((loras, features)) {}
        return found
    }

    private var pixels: Int { demand.size.height * demand.size.width }
    private var latentChannels: Int { demand.model.transformer.latentChannels }

    /// Memory of no shape.
    private func bytes(_ count: Int) throws -> Tensor {
        try .empty([count], dtype: .uint8, device: .meta)
    }

    private func empty(_ shape: [Int]) throws -> Tensor {
        try .empty(shape, dtype: demand.dtype, device: .meta)
    }

    private mutating func note<Result>(
        _ stage: StageMemory.Stage, scratch: Int, _ body: (MetaRun) throws -> Result
    ) throws -> Result {
        counter.resetPeaks()
        let before = counter.usage.live
        let scratch = try bytes(scratch)
        let result = try body(self)
        withExtendedLifetime(scratch) {}
        let (isHost, use) = (kind == .cpu, counter.usage)
        peaks[stage] = use.peakLive - before
        found.append(
            StageMemory(
                stage: stage,
                activations: isHost
                    ? Int(Double(use.peakHeld) * allocator.scatter) : use.peakLive,
                base: isHost ? HostBase.bytes(after: stage) : 0))
        return result
    }
}

// MARK: Stages

extension MetaRun {
    /// - Returns: the features of the prompt, and of the negative prompt where there is one.
    private mutating func encode() throws -> [Tensor] {
        let width = demand.model.textEncoder.featureWidth
        guard demand.encodedTexts > 0 else {
            let remembered = try empty([1, demand.textLength, width])
            return Array(repeating: remembered, count: demand.branches)
        }
        let features = try note(.encode, scratch: demand.encoderScratch) { run in
            try (0..<run.demand.encodedTexts).map { _ in try run.encodedText() }
        }
        return (0..<demand.branches).map { features[min($0, features.count - 1)] }
    }

    private func encodedText() throws -> Tensor {
        // So much padding before the words leaves as many tokens to compute.
        let padding = max(0, demand.textLength - demand.computedTokens + 1)
        let first = padding == 1 ? 0 : padding
        let features = try encoder.model(
            ids: Array(repeating: 0, count: demand.textLength),
            real: (0..<demand.textLength).map { $0 >= first }, dtype: demand.dtype, device: .meta)
        _ = try features.isFinite()
        return features
    }

    private mutating func prepare() throws -> PreparedLatents {
        let (height, width) = demand.size
        let noise = try empty([1, latentChannels, height / 16, width / 16])
        guard demand.hasInputImage || !demand.references.isEmpty else {
            return try PreparedLatents(noise: noise, sigma: 1, input: nil)
        }
        return try note(.images, scratch: demand.autoencoderScratch) { run in
            let demand = run.demand
            let input = demand.hasInputImage ? try run.encoded(demand.size, demand.method) : nil
            var prepared = try PreparedLatents(noise: noise, sigma: 1, input: input)
            if demand.inpaints {
                prepared.keep(try run.empty([1, prepared.start.size(1), 1]))
            }
            prepared.references = try References(
                zip(demand.references, demand.referenceMethods).map { try run.encoded($0, $1) })
            return prepared
        }
    }

    private func encoded(
        _ size: (height: Int, width: Int), _ method: Tiling.Method
    ) throws -> Tensor {
        let stage = EncodeStage(
            autoencoder: autoencoder.model, dtype: demand.dtype, device: .meta)
        let image = try bytes(3 * size.height * size.width)
        let pixels = try stage.pixels(
            ofLevels: bytes(3 * size.height * size.width)
                .reshaped([size.height, size.width, 3]))
        defer { withExtendedLifetime(image) {} }
        return try stage.latents(of: pixels, by: method)
    }

    /// Two steps stand for all: each of the same shape finds what the one before has left. With a step cache
    /// it takes one more until the one before has left all.
    private mutating func denoise(_ prepared: PreparedLatents, _ features: [Tensor]) throws
        -> Tensor
    {
        let steps = min(demand.steps, demand.cachesSteps ? 3 : 2)
        let schedule = try Schedule(steps: steps, shift: 1)
        return try note(.denoise, scratch: demand.transformerScratch) { run in
            var stage = DenoiseStage(transformer: run.transformer.model, schedule: schedule)
            stage.evaluatesInLockstep = run.demand.evaluatesInLockstep
            stage.branchesShareWeights = run.demand.sharesImage
            stage.stepCache = run.demand.cachesSteps ? 0 : nil
            stage.beforeBranch = {
                run.transformer.put(run.adapters.ofTransformer[$0] ?? [:])
            }
            let tokens = try stage(
                prepared.start, given: run.conditioning(features, prepared),
                keeping: prepared.inpaintBlend,
                onStep: { _ in }, onEvent: { _ in })
            _ = try tokens.isFinite()
            return try LatentTokens.unpack(
                tokens, height: run.demand.size.height / 16, width: run.demand.size.width / 16)
        }
    }

    private func conditioning(_ features: [Tensor], _ prepared: PreparedLatents) throws
        -> Conditioning
    {
        let branches = try features.map { text in
            let text =
                demand.extraTextTokens == 0
                ? text
                : try .concatenating(
                    [text, empty([1, demand.extraTextTokens, text.size(2)])], along: 1)
            return try ConditioningBranch(
                text: text, rotary: rotations(text.size(1)), caches: caches())
        }
        return Conditioning(
            conditional: branches[0], unconditional: branches.count > 1 ? branches[1] : nil,
            references: prepared.references?.tokens, cfgScale: 4, embeddedGuidance: 4)
    }

    private func caches() throws -> [String: KeyValue] {
        guard demand.cachedTokens > 0 else { return [:] }
        let configuration = demand.model.transformer
        let shape = [1, demand.cachedTokens, configuration.headCount, configuration.headSize]
        return try ["double_0": KeyValue(keys: empty(shape), values: empty(shape))]
    }

    private func rotations(_ textTokens: Int) throws -> RotaryTable {
        let images = [demand.size] + demand.references
        let positions =
            try [Positions.text(textTokens)]
            + images.map { try Positions.grid(rows: $0.height / 16, columns: $0.width / 16) }
        return try RotaryTable(
            positions: .concatenating(positions, along: 0),
            axes: demand.model.transformer.rotaryAxes, theta: demand.model.transformer.rotaryTheta,
            device: .meta)
    }

    private mutating func decode(_ latents: Tensor) throws {
        try note(.decode, scratch: demand.autoencoderScratch) { run in
            let stage = DecodeStage(autoencoder: run.autoencoder.model)
            let pixels = try stage.pixels(of: latents, by: run.demand.method)
            _ = try pixels.isFinite()
            let image = try pixels.levels(.truncate).to(dtype: .uint8).contiguous()
            _ = try run.bytes(image.byteCount)
        }
    }
}

/// What the process needs beside tensors, in bytes of private memory.
enum HostBase {
    /// libtorch, the program, a small vocabulary, then the kernels that were compiled on the way.
    ///
    /// Fitted to thirteen requests with klein-4B shapes, Zen 4, two threads; 73 MB before anything is
    /// computed.
    static func bytes(after stage: StageMemory.Stage) -> Int {
        switch stage {
        case .encode, .images: 76_000_000
        case .denoise: 88_000_000
        case .decode: 97_000_000
        }
    }
}
