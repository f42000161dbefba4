@testable import Flux2
import Foundation
import Imaging
@testable import Offloading
import TestSupport
import Testing
import Torch

@Suite("Weights that come while the model computes", .serialized)
struct StreamingTests {
    private struct Outcome {
        var features: PromptFeatures
        var latents: Tensor
        var image: Image
        var transformer: StreamCounters
        var encoder: StreamCounters
    }

    /// A request with all that weights are read for: both branches, images, a LoRA.
    private func request(_ model: String) throws -> GenerationRequest {
        var request = GenerationRequest(prompt: "a red fox in the snow", seed: 3)
        request.negativePrompt = "blurred"
        request.cfgScale = 2
        (request.height, request.width, request.steps) = (64, 96, 2)
        request.editImages = [try Image(contentsOf: Reference.path("inputs/init_64x64.png"))]
        request.resizesEditImages = false
        if model == "tiny-klein" {
            request.loras = [
                LoRAUse(path: Reference.path("inputs/lora/peft.safetensors"), strength: 0.7)
            ]
        }
        return request
    }

    private func pipeline(
        _ model: String, _ dtype: DType, _ storage: WeightStorage = .asStored
    ) throws -> Pipeline {
        var memory = MemorySettings()
        memory.storage = [.transformer: storage, .textEncoder: storage]
        return try Pipeline(
            ModelFiles(model: Reference.ownModel(model)), device: .cpu, dtype: dtype,
            memory: memory)
    }

    private func outcome(
        _ pipeline: Pipeline, _ request: GenerationRequest,
        transformer: WeightPlacement, encoder: WeightPlacement = .resident
    ) throws -> Outcome {
        pipeline.transformer.placement = transformer
        pipeline.textEncoder.placement = encoder
        return try withoutGradients {
            var run = try GenerationRun(pipeline, request)
            try run.readLoRAs { _ in }
            let features = try run.encode { _ in }
            let prepared = try run.prepare(run.drawNoise()) { _ in }
            let latents = try run.denoise(prepared, given: features) { _ in }
            return Outcome(
                features: features, latents: latents, image: try run.decode(latents) { _ in },
                transformer: pipeline.transformer.weights.counters,
                encoder: pipeline.textEncoder.weights.counters)
        }
    }

    @Test(
        "come once for the conditional and unconditional passes, and change no bit",
        arguments: ["tiny-klein", "tiny-dev"], [DType.bfloat16, .float32])
    func comeOnceForBothSides(_ model: String, _ dtype: DType) throws {
        var request = try request(model)
        // LoRAs of one side only have to be switched at every turn.
        request.loras = request.loras.map {
            LoRAUse(path: $0.path, strength: 0.7, branch: .conditional)
        }
        let whole = try outcome(pipeline(model, dtype), request, transformer: .resident)
        let shared = try pipeline(model, dtype)
        var plan = try shared.plan(request).outcome
        plan.evaluatesInLockstep = true
        try shared.place(plan)
        let streamed = try outcome(shared, request, transformer: streamed())
        try expectSame(whole, streamed)
        let units = shared.transformer.weights.sizes().units
        #expect(streamed.transformer.units == 2 * units.count)
        #expect(streamed.transformer.restarts == 0)
        #expect(streamed.transformer.mostOpen <= 2)
    }

    private func streamed(
        _ count: Int = 2, resident: Set<String> = [], pinned: Int = 0, poisons: Bool = true
    ) -> WeightPlacement {
        var settings = WeightPlacement.DeviceBufferSettings()
        settings.slots = count
        settings.pinned = pinned
        settings.poisons = poisons
        return .streamed(resident: resident, settings)
    }

    private func expectSame(_ a: Outcome, _ b: Outcome) throws {
        #expect(try a.features.conditional.isEqual(to: b.features.conditional))
        #expect(try a.latents.isEqual(to: b.latents))
        #expect(a.image == b.image)
    }

    @Test(
        "give the same image, bit for bit, as those that are there",
        arguments: ["tiny-klein", "tiny-dev"], [DType.bfloat16, .float32])
    func giveTheSameImage(_ model: String, _ dtype: DType) throws {
        let request = try request(model)
        let whole = try outcome(pipeline(model, dtype), request, transformer: .resident)
        let streamed = try outcome(
            pipeline(model, dtype), request, transformer: streamed(), encoder: streamed(3))
        try expectSame(whole, streamed)

        let part = try pipeline(model, dtype).transformer
        let units = part.weights.sizes().units
        let passes = 2 * 2
        #expect(streamed.transformer.units == passes * units.count)
        let bytes = units.reduce(0) { $0 + $1.byteCount }
        #expect(streamed.transformer.moved >= passes * bytes)
        #expect(streamed.transformer.moved < passes * (bytes + 256 * 8 * units.count))
        #expect((1...2).contains(streamed.transformer.mostOpen))
        #expect(streamed.transformer.restarts == 0)
        #expect(streamed.encoder.moved > 0 && streamed.encoder.mostOpen <= 3)

        let reading = try pipeline(model, dtype)
        reading.readsAhead = true
        let paged = try outcome(
            reading, request, transformer: .paged(kept: [], bounded: true),
            encoder: .paged(kept: [], bounded: true))
        try expectSame(whole, paged)
        #expect(paged.transformer.units == passes * units.count && paged.transformer.moved == 0)

        let kept: Set<String> = [units[1].name]
        let direct = try outcome(
            pipeline(model, dtype), request, transformer: .directIO(kept: kept, bounded: true),
            encoder: .directIO(kept: [], bounded: true))
        try expectSame(whole, direct)
        let read = passes * (bytes - units[1].byteCount)
        #expect(direct.transformer.moved >= read)
    }

    @Test(
        "give the same image in 8 bits as those that are there in 8 bits",
        arguments: [
            WeightStorage.float8, .matrices(.float8Rows), .matrices(.int8Rows),
            .matrices(.int8Groups(16)), .matrices(.int8Rotated),
        ])
    func giveTheSameImageInEightBits(_ storage: WeightStorage) throws {
        let request = try request("tiny-klein")
        let whole = try outcome(
            pipeline("tiny-klein", .bfloat16, storage), request, transformer: .resident)
        let streamed = try outcome(
            pipeline("tiny-klein", .bfloat16, storage), request, transformer: streamed(),
            encoder: streamed())
        try expectSame(whole, streamed)
        // Half of what the 16-bit weights move, and the scales.
        let units = try pipeline("tiny-klein", .bfloat16).transformer.weights.sizes().units
        let bytes = 4 * units.reduce(0) { $0 + $1.byteCount }
        #expect((bytes / 2..<bytes).contains(streamed.transformer.moved))
    }

    @Test("may be partly on the device, and partly in memory that it reads by itself")
    func mayBePartlyThere() throws {
        let request = try request("tiny-klein")
        let whole = try outcome(pipeline("tiny-klein", .bfloat16), request, transformer: .resident)
        let pipeline = try pipeline("tiny-klein", .bfloat16)
        let units = pipeline.transformer.weights.sizes().units
        for count in [1, units.count / 2, units.count] {
            let before = pipeline.transformer.weights.counters
            let kept = Set(units.prefix(count).map(\.name))
            let some = try outcome(
                pipeline, request,
                transformer: streamed(resident: kept, pinned: units[0].byteCount * 2))
            try expectSame(whole, some)
            #expect(some.transformer.units - before.units == 4 * (units.count - count))
        }
    }

    @Test("serve one image after the other, and other requests")
    func serveOneAfterTheOther() throws {
        let pipeline = try pipeline("tiny-klein", .bfloat16)
        let request = try request("tiny-klein")
        let first = try outcome(pipeline, request, transformer: streamed())
        var other = request
        other.cfgScale = 1
        other.steps = 3
        _ = try outcome(pipeline, other, transformer: streamed())
        try expectSame(first, outcome(pipeline, request, transformer: streamed()))
        #expect(pipeline.transformer.weights.counters.restarts == 0)
    }

    @Test("go on after a run that was cancelled in the middle")
    func goOnAfterACancelledRun() throws {
        struct Stop: Error {}
        let request = try request("tiny-klein")
        let pipeline = try pipeline("tiny-klein", .bfloat16)
        let first = try outcome(pipeline, request, transformer: streamed())
        #expect(throws: Stop.self) {
            try withoutGradients {
                var run = try GenerationRun(pipeline, request)
                run.onStep = { _ in throw Stop() }
                let features = try run.encode { _ in }
                let prepared = try run.prepare(run.drawNoise()) { _ in }
                _ = try run.denoise(prepared, given: features) { _ in }
            }
        }
        try expectSame(first, outcome(pipeline, request, transformer: streamed()))
    }

    @Test("are gone once the next ones are used: a use too late shows")
    func areGoneAfterTheirUse() throws {
        let scope = Scope()
        let parameters = (0..<4).map { scope["layer"][$0].parameter("weight", [8, 8]) }
        let units = try parameters.enumerated().map { index, parameter in
            try WeightGroup(
                name: "\(index)", parameters: [parameter],
                weights: [.dense(.full([8, 8], Double(index)))])
        }
        let stream = try WeightStream(units, device: .cpu, slots: 2, poisons: true)
        parameters.forEach { $0.load(from: stream) }
        let like = try Tensor.zeros([1])
        let early = try parameters[0].value(like: like)
        #expect(try early.sum().item() == 0)
        #expect(try parameters[1].value(like: like).sum().item() == 64)
        // It is gone, or already filled with what comes next.
        #expect(try !(early.sum().item() == 0))
        // Out of order, and again.
        for index in [3, 0, 2, 2, 1, 0] {
            let value = try parameters[index].value(like: like)
            #expect(try value.sum().item() == Double(64 * index))
        }
        #expect(stream.counters.restarts > 0)
        try stream.rest()
    }
}
