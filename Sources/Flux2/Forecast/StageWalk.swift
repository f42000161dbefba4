internal import FluxModels
internal import Torch

/// Passes the stages of a generation as `GenerationRun` does, taking memory from a heap only.
struct StageWalk {
    private typealias Piece = PieceHeap.Piece

    private let demand: MemoryDemand
    private let kind: Device.Kind
    private let heap = PieceHeap()
    private var found: [StageMemory] = []

    private let allocator: HostAllocator

    init(_ demand: MemoryDemand, _ kind: Device.Kind, _ allocator: HostAllocator) {
        self.demand = demand
        self.kind = kind
        self.allocator = allocator
    }

    mutating func stages() -> [StageMemory] {
        _ = heap.take(demand.loraBytes)
        let features = encode()
        for picture in 0...min(demand.formerPictures, 1) {
            if picture > 0 { found = found.filter { $0.stage == .encode } }
            _ = heap.take(3 * pixels * demand.formerPictures)
            let canvas = pictures()
            let latents = denoise(canvas)
            decode()
            heap.give(canvas + [latents])
        }
        heap.give(features)
        return found
    }

    private var pixels: Int { demand.size.height * demand.size.width }
    private var latentTokens: Int { pixels / 256 }
    private var referenceTokens: Int {
        demand.references.reduce(0) { $0 + $1.height * $1.width / 256 }
    }

    private var layers: Footprint {
        Footprint(
            heap: heap, bytes: demand.dtype.byteCount, threads: demand.threads,
            kernels: Footprint.kernels(demand.dtype, kind))
    }

    private mutating func note(_ stage: StageMemory.Stage, _ body: (inout StageWalk) -> Void) {
        heap.beginStage()
        body(&self)
        let isHost = kind == .cpu
        found.append(
            StageMemory(
                stage: stage,
                activations: isHost
                    ? Int(Double(heap.peak.held) * allocator.scatter) : heap.peak.live,
                base: isHost ? HostBase.bytes(after: stage) : 0))
    }

    private mutating func encode() -> [Piece] {
        let layers = layers
        let encoder = TextEncoderFootprint(
            layers: layers, configuration: demand.model.textEncoder,
            tokens: demand.computedTokens)
        guard demand.encodedTexts > 0 else { return [] }
        var features: [Piece] = []
        note(.encode) { walk in
            let scratch = walk.heap.take(walk.demand.encoderScratch)
            defer { walk.heap.give(scratch) }
            features = (0..<walk.demand.encodedTexts).map { _ in
                encoder.encode(length: walk.demand.textLength)
            }
        }
        return features
    }

    private var autoencoder: AutoencoderFootprint {
        AutoencoderFootprint(
            layers: layers, configuration: demand.model.autoencoder)
    }

    /// Noise, the latents of pictures, and what inpainting compares with.
    private mutating func pictures() -> [Piece] {
        let layers = layers
        let channels = demand.model.transformer.latentChannels
        var kept = (0..<2).map { _ in layers.tensor(latentTokens * channels) }
        guard demand.hasInputImage || !demand.references.isEmpty else { return kept }
        note(.pictures) { walk in
            let input = walk.demand.hasInputImage ? [walk.demand.size] : []
            let sizes = input + walk.demand.references
            let ways =
                (input.isEmpty ? [] : [walk.demand.passage]) + walk.demand.referencePassages
            let scratch = walk.heap.take(walk.demand.autoencoderScratch)
            defer { walk.heap.give(scratch) }
            for (size, way) in zip(sizes, ways) {
                kept.append(walk.encoded(size, way, layers))
            }
        }
        return kept
    }

    private func encoded(
        _ size: (height: Int, width: Int), _ way: Tiling.Passage, _ layers: Footprint
    ) -> Piece {
        let count = 3 * size.height * size.width
        let picture = heap.take(count)
        let bytes = heap.take(count)
        let exact = layers.exact(count)
        let scaled = layers.combined(count, layers.combined(count, layers.tensor(count)))
        heap.give(bytes, exact)
        let moments = autoencoder.passage(
            way, height: size.height, width: size.width, decodes: false)
        let latents = layers.tensor(
            size.height * size.width / 256 * demand.model.transformer.latentChannels)
        heap.give(moments, scaled, picture)
        return latents
    }

    /// Two evaluations stand for all: each of the same shape finds what the one before has left. With a
    /// step cache it takes one more until the one before has left all.
    private mutating func denoise(_ canvas: [Piece]) -> Piece {
        let layers = layers
        let configuration = demand.model.transformer
        let text = demand.textLength + demand.extraTextTokens
        let transformer = TransformerFootprint(
            layers: layers, configuration: configuration, textTokens: text,
            pictureTokens: latentTokens + referenceTokens, cachedTokens: demand.cachedTokens)
        let count = latentTokens * configuration.latentChannels
        var latents = layers.tensor(count)
        note(.denoise) { walk in
            let scratch = walk.heap.take(walk.demand.transformerScratch)
            defer { walk.heap.give(scratch) }
            let branches = (0..<walk.demand.branches).map { _ in
                layers.exact(
                    (text + walk.latentTokens + walk.referenceTokens)
                        * configuration.headSize)
            }
            let texts = branches.map { _ in transformer.embeddedText() }
            var kept = branches.indices.map { side in
                walk.demand.cachesSteps
                    ? TransformerFootprint.Kept(decides: side == 0) : nil
            }
            for _ in 0..<min(walk.demand.steps, walk.demand.cachesSteps ? 3 : 2) {
                let shared =
                    walk.demand.sharesPicture
                    ? transformer.embeddedPicture(latentTokens: walk.latentTokens) : nil
                // What the other side has come to while one goes on.
                let other =
                    walk.demand.goesSideBySide
                    ? [transformer.waiting(caching: walk.demand.cachesSteps)] : []
                let velocities = branches.indices.map { side in
                    transformer.evaluate(
                        latentTokens: walk.latentTokens, shared: shared, kept: &kept[side])
                }
                walk.heap.give(other)
                shared.map { walk.heap.give($0) }
                let next = layers.combined(count, layers.tensor(count))
                walk.heap.give(velocities + [latents])
                latents = next
            }
            walk.heap.give(kept.flatMap { $0?.pieces ?? [] })
            walk.heap.give(texts + branches)
        }
        return latents
    }

    private mutating func decode() {
        let layers = layers
        note(.decode) { walk in
            let (height, width) = walk.demand.size
            let scratch = walk.heap.take(walk.demand.autoencoderScratch)
            defer { walk.heap.give(scratch) }
            let count = 3 * walk.pixels
            let result = walk.autoencoder.passage(
                walk.demand.passage, height: height, width: width, decodes: true)
            let levels = layers.combined(count, layers.combined(count, layers.tensor(count)))
            walk.heap.give(walk.heap.take(count), walk.heap.take(count))
            walk.heap.give(levels, result)
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
        case .encode, .pictures: 76_000_000
        case .denoise: 88_000_000
        case .decode: 93_000_000
        }
    }
}
