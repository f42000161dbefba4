@testable import Flux2
import Foundation
import Checkpoints
import Imaging
import LoRA
import ModelHub
@testable import Offloading
import TestSupport
import Testing
import Torch

@Suite("Models of GGUF files", .serialized)
struct GGUFModelTests {
    private let folder: TemporaryFolder
    private let transformer = GGUFCopy.path("klein-transformer")
    private let encoder = GGUFCopy.path("qwen3")

    init() throws { folder = try TemporaryFolder() }

    private struct Outcome {
        var features: Tensor
        var latents: Tensor
        var image: Image
    }

    private func request(_ mode: LoRAUse.Mode = .hot) -> GenerationRequest {
        var request = GenerationRequest(prompt: "a red fox in the snow", seed: 3)
        request.negativePrompt = "blurred"
        request.cfgScale = 2
        (request.height, request.width, request.steps) = (64, 96, 2)
        let path = Reference.path("inputs/lora/peft.safetensors")
        request.loras = [LoRAUse(path: path, strength: 0.7)]
        request.loraMode = mode
        return request
    }

    private func pipeline(
        _ transformer: String, _ encoder: String, _ dtype: DType = .bfloat16,
        memory: MemorySettings = MemorySettings()
    ) throws -> Pipeline {
        let files = try ModelFiles(
            model: Reference.ownModel("tiny-klein"),
            overrides: .init(transformer: [transformer], textEncoder: [encoder]))
        return try Pipeline(files, device: .cpu, dtype: dtype, memory: memory)
    }

    private func outcome(
        _ pipeline: Pipeline, _ request: GenerationRequest, _ placement: WeightPlacement = .resident
    ) throws -> Outcome {
        pipeline.transformer.placement = placement
        pipeline.textEncoder.placement = placement
        return try withoutGradients {
            var run = try GenerationRun(pipeline, request)
            try run.readLoRAs { _ in }
            let features = try run.encode { _ in }
            let prepared = try run.prepare(run.drawNoise()) { _ in }
            let latents = try run.denoise(prepared, given: features) { _ in }
            return Outcome(
                features: features.conditional, latents: latents,
                image: try run.decode(latents) { _ in })
        }
    }

    private func expectSame(_ a: Outcome, _ b: Outcome) throws {
        #expect(try a.features.isEqual(to: b.features))
        #expect(try a.latents.isEqual(to: b.latents))
        #expect(a.image == b.image)
    }

    /// The same weights as numbers.
    private func unpacked() throws -> (transformer: String, encoder: String) {
        let paths = (folder.file("transformer.safetensors"), folder.file("encoder.safetensors"))
        try GGUFCopy("klein-transformer").writeValues(to: paths.0)
        try GGUFCopy("qwen3").writeValues(to: paths.1)
        return paths
    }

    @Test(arguments: [DType.float32, .bfloat16])
    func giveImagesOfTheirNumbersBitForBit(dtype: DType) throws {
        let plain = try unpacked()
        let expected = try outcome(
            pipeline(plain.transformer, plain.encoder, dtype), request())
        let found = try outcome(pipeline(transformer, encoder, dtype), request())
        try expectSame(found, expected)
    }

    @Test func takeLoRAsIntoTheirNumbers() throws {
        let plain = try unpacked()
        let expected = try outcome(
            pipeline(plain.transformer, plain.encoder), request(.fused))
        let pipeline = try pipeline(transformer, encoder)
        try expectSame(outcome(pipeline, request(.fused)), expected)
        // Taken off again, blocks are what they were.
        var bare = request(.fused)
        bare.loras = []
        let without = try outcome(pipeline, bare)
        try expectSame(without, outcome(self.pipeline(transformer, encoder), bare))
    }

    @Test(arguments: [DType.float32, .bfloat16])
    func streamBitForBit(dtype: DType) throws {
        let whole = try outcome(pipeline(transformer, encoder, dtype), request())
        var settings = WeightPlacement.DeviceBufferSettings()
        settings.poisons = true
        for placement in [
            WeightPlacement.streamed(resident: [], settings), .paged(kept: [], bounded: true),
        ] {
            let streamed = try pipeline(transformer, encoder, dtype)
            try expectSame(outcome(streamed, request(), placement), whole)
            let units = streamed.transformer.weights.sizes().units
            let counters = streamed.transformer.weights.counters
            #expect(counters.units == 4 * units.count && counters.restarts == 0)
            guard case .streamed = placement else { continue }
            let bytes = units.reduce(0) { $0 + $1.byteCount }
            #expect(4 * bytes..<4 * (bytes + 256 * 8 * units.count) ~= counters.moved)
        }
    }

    @Test func haveTheSizesOfTheirBlocks() throws {
        let part = try pipeline(transformer, encoder).transformer
        let sizes = part.weights.sizes()
        #expect(sizes.format == "Q8_0" && !sizes.isQuantized)
        #expect(
            try sizes.all == GGUFFile(path: transformer).tensors.reduce(0) { $0 + $1.byteCount })
        let matrices = part.parameters.filter { $0.key.contains("transformer_blocks.") }
        #expect(
            sizes.largestConversion == matrices.map { $0.shape.reduce(1, *) }.max())
        _ = try part.load(passes: 1)
        let stored = try part.parameters.map { try $0.stored() }
        #expect(sizes.all == stored.reduce(0) { $0 + $1.byteCount })
    }

    @Test func areNotPackedAnew() throws {
        var memory = MemorySettings()
        memory.storage = [.transformer: .float8, .textEncoder: .matrices(.int8Rows)]
        let pipeline = try pipeline(transformer, encoder, memory: memory)
        for part in [pipeline.transformer.weights, pipeline.textEncoder.weights] {
            try part.place(.resident)
            let inBlocks = part.parameters.filter { part.type(of: $0) == .blocks(.q8_0) }
            #expect(inBlocks.count > part.parameters.count / 3)
            for parameter in inBlocks {
                guard case .loaded(.blocks) = parameter.storage else {
                    Issue.record("'\(parameter.key)' is not in blocks")
                    continue
                }
            }
        }
    }

    @Test func areFoundInAModelsFolder() throws {
        let model = folder.file("mixed")
        let original = Reference.ownModel("tiny-klein")
        let files = FileManager.default
        try files.createDirectory(
            atPath: model + "/text_encoder", withIntermediateDirectories: true)
        try files.copyItem(atPath: transformer, toPath: model + "/a.gguf")
        try files.copyItem(atPath: encoder, toPath: model + "/text_encoder/b.gguf")
        for part in ["vae", "tokenizer"] {
            try files.copyItem(atPath: "\(original)/\(part)", toPath: "\(model)/\(part)")
        }
        let found = try ModelFiles(model: model)
        #expect(found.transformer == [model + "/a.gguf"])
        #expect(found.textEncoder == [model + "/text_encoder"])
        let bare = try Pipeline(found, device: .cpu, dtype: .bfloat16)
        try expectSame(
            outcome(bare, request()), outcome(pipeline(transformer, encoder), request()))
        #expect(
            try Inspection.of(model + "/a.gguf").map(\.component) == ["transformer"])
        #expect(try !AdapterTargets(model: model).shapes.isEmpty)
    }

    @Test func areToldFromWhatIsInThem() async throws {
        let tiny = Reference.ownModel("tiny-klein")
        let vae = folder.file("vae.gguf")
        try GGUFCopy(Checkpoint(path: tiny + "/vae")).write(to: vae)
        // Shapes tell only the architecture of the published ones.
        try FileManager.default.copyItem(
            atPath: tiny + "/vae/config.json", toPath: folder.file("config.json"))
        let files = try await ModelFiles(
            [encoder, vae, transformer].map { ModelConfig(path: $0) },
            tokenizer: ModelConfig(path: tiny + "/tokenizer"), HubSettings()
        ) { _ in }
        #expect(files.transformer == [transformer] && files.textEncoder == [encoder])
        #expect(files.autoencoder == [vae])
        let found = try Pipeline(files, device: .cpu, dtype: .bfloat16)
        try expectSame(
            outcome(found, request()), outcome(pipeline(transformer, encoder), request()))
    }

    /// As `gguf-split` of llama.cpp writes them: only the first part describes the model.
    @Test func mayBeSplit() throws {
        let whole = try GGUFCopy("qwen3")
        let paths = (1...3).map { folder.file("e-0000\($0)-of-00003.gguf") }
        let size = whole.pieces.count / 3 + 1
        for (index, path) in paths.enumerated() {
            var part = whole
            if index > 0 { part.entries = [:] }
            part.entries["split.count"] = .integer(3)
            part.pieces = Array(
                whole.pieces.dropFirst(index * size).prefix(size))
            try part.write(to: path)
        }
        let expected = try outcome(pipeline(transformer, encoder), request())
        for path in [paths[0], paths[1]] {
            try expectSame(outcome(pipeline(transformer, path), request()), expected)
        }
        try FileManager.default.removeItem(atPath: paths[2])
        let error = #expect(throws: GGUFError.self) { try pipeline(transformer, paths[0]) }
        #expect(
            error?.description
                == "\(paths[0]): is one of the 3 parts of a split file, 2 were given")
    }

    @Test func haveFeaturesOfTheirOwnInTheCache() throws {
        func key(_ copy: GGUFCopy) throws -> String {
            let path = folder.file("e.gguf")
            try copy.write(to: path)
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSince1970: 1)], ofItemAtPath: path)
            return try pipeline(transformer, path).promptCacheKey()
                .key(PromptEmbeddingCache.Key(ids: [1], mask: [true]))
        }
        let original = try GGUFCopy("qwen3")
        var changed = original
        changed.overwrite("blk.3.attn_q.weight", with: [0, 1, 2, 3])
        var turned = original
        turned.entries["qwen3.rope.freq_base"] = .number(10_000)
        let keys = try [original, changed, turned, original].map(key)
        #expect(keys[0] == keys[3] && Set(keys).count == 3)
    }
}

extension ManagedWeights {
    /// How the file has a weight.
    fileprivate func type(of parameter: Parameter) -> WeightType? { loader.type(parameter) }
}
