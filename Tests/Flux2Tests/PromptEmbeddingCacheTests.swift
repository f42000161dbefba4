@testable import Flux2
import Foundation
import TestSupport
import Testing
import Torch

@Suite("Prompts that come again", .serialized)
struct PromptEmbeddingCacheTests {
    private let folder: TemporaryFolder
    private let model = Reference.ownModel("tiny-klein")

    init() throws { folder = try TemporaryFolder() }

    private func key(_ id: Int) -> PromptEmbeddingCache.Key { .init(ids: [id], mask: [true]) }

    @Test func areForgottenInTheOrderOfTheirUse() throws {
        let memory = PromptEmbeddingCache(limit: 2)
        for id in [1, 2] { memory.keep(try .zeros([1]), as: key(id)) }
        #expect(memory.features(key(1)) != nil)
        memory.keep(try .zeros([1]), as: key(3))
        #expect(memory.features(key(2)) == nil)
        #expect(memory.features(key(1)) != nil && memory.features(key(3)) != nil)
    }

    /// The features of a prompt and of a negative one, and how often the encoder was loaded.
    private func encode(
        _ pipeline: Pipeline, _ prompt: String = "a red fox"
    ) throws -> (PromptFeatures, loads: Int) {
        try withoutGradients {
            var request = GenerationRequest(prompt: prompt, seed: 1)
            request.cfgScale = 2
            var loads = 0
            var run = try GenerationRun(pipeline, request)
            let features = try run.encode { event in
                if case .loaded = event { loads += 1 }
            }
            return (features, loads)
        }
    }

    private func pipeline(
        _ cache: PromptCache? = nil, dtype: DType = .float32, model: String? = nil
    ) throws -> Pipeline {
        try Pipeline(
            ModelFiles(model: model ?? self.model), device: .cpu, dtype: dtype,
            promptCache: cache)
    }

    private func expectSame(_ one: PromptFeatures, _ other: PromptFeatures) throws {
        try #expect(one.conditional.isEqual(to: other.conditional))
        try #expect(#require(one.unconditional).isEqual(to: #require(other.unconditional)))
    }

    @Test func loadNoEncoder() throws {
        let pipeline = try pipeline()
        let (first, second) = (try encode(pipeline), try encode(pipeline))
        #expect(first.loads == 1 && second.loads == 0)
        try expectSame(first.0, second.0)
        try #expect(!first.0.conditional.isEqual(to: #require(first.0.unconditional)))
    }

    @Test func loadNoEncoderInTheNextProcessEither() throws {
        let cache = PromptCache(folder: folder.file("prompts"))
        let first = try encode(pipeline(cache))
        let second = try encode(pipeline(cache))
        #expect(first.loads == 1 && second.loads == 0)
        try expectSame(first.0, second.0)
        #expect(try encode(pipeline(cache), "a blue fox").loads == 1)
        #expect(try encode(pipeline(cache, dtype: .bfloat16)).loads == 1)
    }

    @Test func areNotThoseOfAnotherEncoder() throws {
        let cache = PromptCache(folder: folder.file("prompts"))
        let copy = try folder.model()
        _ = try encode(pipeline(cache, model: copy))
        #expect(try encode(pipeline(cache, model: copy)).loads == 0)
        // The same names, shapes and sizes; other values.
        let shard = copy + "/text_encoder/model-00001-of-00002.safetensors"
        var bytes = try Data(contentsOf: URL(fileURLWithPath: shard))
        bytes[bytes.count - 1] ^= 1
        try bytes.write(to: URL(fileURLWithPath: shard))
        #expect(try encode(pipeline(cache, model: copy)).loads == 1)
    }

    @Test func areEncodedAnewWhereTheirFileIsDamaged() throws {
        let cache = PromptCache(folder: folder.file("prompts"))
        let first = try encode(pipeline(cache))
        for name in try FileManager.default.contentsOfDirectory(atPath: cache.folder) {
            let file = URL(fileURLWithPath: cache.folder + "/" + name)
            try Data(contentsOf: file).prefix(100).write(to: file)
        }
        let second = try encode(pipeline(cache))
        #expect(second.loads == 1)
        try expectSame(first.0, second.0)
        #expect(try encode(pipeline(cache)).loads == 0)
    }

    @Test(arguments: [0, 1, 1000])
    func areEncodedAnewWithAWordWhereTheirNumbersAreOthers(fromTheEnd place: Int) throws {
        let cache = PromptCache(folder: folder.file("prompts"))
        let first = try encode(pipeline(cache)).0
        for name in try FileManager.default.contentsOfDirectory(atPath: cache.folder) {
            let file = URL(fileURLWithPath: cache.folder + "/" + name)
            var bytes = try Data(contentsOf: file)
            bytes[bytes.count - 1 - place] ^= 0x10
            try bytes.write(to: file)
        }
        var warnings: [String] = []
        let run = try withoutGradients {
            var request = GenerationRequest(prompt: "a red fox", seed: 1)
            request.cfgScale = 2
            var run = try GenerationRun(pipeline(cache), request)
            return try run.encode { if case .warned(let text) = $0 { warnings.append(text) } }
        }
        try expectSame(first, run)
        #expect(warnings.count == 2 && warnings.allSatisfy { $0.contains("is damaged") })
    }

    @Test func doNotFillTheDisk() throws {
        var cache = PromptCache(folder: folder.file("prompts"))
        // A prompt of the tiny model takes up 512 rows of 96 values, and there are two.
        cache.limit = 3 * (512 * 96 * 4 + 1000)
        let other = folder.file("prompts/model.safetensors")
        try FileManager.default.createDirectory(
            atPath: cache.folder, withIntermediateDirectories: true)
        try Data(count: 1_000_000).write(to: URL(fileURLWithPath: other))
        let pipeline = try pipeline(cache)
        for prompt in ["a", "b", "c", "d"] { _ = try encode(pipeline, prompt) }
        let names = try FileManager.default.contentsOfDirectory(atPath: cache.folder)
        #expect(names.count == 4)
        #expect(FileManager.default.fileExists(atPath: other))
    }
}
