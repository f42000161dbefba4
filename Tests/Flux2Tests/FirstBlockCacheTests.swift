@testable import Flux2
import Foundation
import FluxModels
import Imaging
@testable import Offloading
import TestSupport
import Testing
import Torch

@Suite("Steps that take over most of their work from earlier ones", .serialized)
struct FirstBlockCacheTests {
    private struct Outcome {
        var latents: Tensor
        /// The numbers of skipped steps, from 0.
        var skipped: [Int] = []
        /// What the result and events count.
        var counted = 0
        var told = 0
    }

    private func request(_ threshold: Double?, steps: Int = 6) -> GenerationRequest {
        var request = GenerationRequest(prompt: "a red fox in the snow", seed: 3)
        (request.height, request.width, request.steps) = (64, 96, steps)
        request.stepCache = threshold
        return request
    }

    private func guided(_ threshold: Double?, steps: Int = 6) -> GenerationRequest {
        var request = request(threshold, steps: steps)
        request.negativePrompt = "blurred"
        request.cfgScale = 2
        return request
    }

    private func pipeline(
        _ dtype: DType = .float32, _ model: String = "tiny-klein"
    ) throws -> Pipeline {
        try Pipeline(ModelFiles(model: Reference.ownModel(model)), device: .cpu, dtype: dtype)
    }

    private func outcome(
        _ request: GenerationRequest, _ pipeline: Pipeline,
        _ transformer: WeightPlacement = .resident
    ) throws -> Outcome {
        pipeline.transformer.placement = transformer
        return try withoutGradients {
            var run = try GenerationRun(pipeline, request)
            var skipped: [Int] = []
            run.onStep = { if $0.isSkipped { skipped.append($0.index) } }
            try run.readLoRAs { _ in }
            let features = try run.encode { _ in }
            let prepared = try run.prepare(run.drawNoise()) { _ in }
            var told = 0
            let latents = try run.denoise(prepared, given: features) { event in
                if case .skipped(let steps) = event { told = steps }
            }
            return Outcome(
                latents: latents, skipped: skipped, counted: run.skippedSteps, told: told)
        }
    }

    /// A threshold at which some steps are skipped and some that could be are not.
    private func between(_ request: (Double) -> GenerationRequest) throws -> Double {
        let pipeline = try pipeline()
        for threshold in (-6...4).map({ pow(2, Double($0)) }) {
            let request = request(threshold)
            let count = try outcome(request, pipeline).counted
            if (1..<request.steps - 2).contains(count) { return threshold }
        }
        throw Mixed()
    }

    private struct Mixed: Error {}

    @Test(arguments: ["tiny-klein", "tiny-dev"], [DType.bfloat16, .float32])
    func aThresholdOfNothingChangesNoBit(_ model: String, _ dtype: DType) throws {
        for (off, on) in [(request(nil), request(0)), (guided(nil), guided(0))] {
            let pipeline = try pipeline(dtype, model)
            let whole = try outcome(off, pipeline)
            let cached = try outcome(on, pipeline)
            #expect(try cached.latents.isEqual(to: whole.latents))
            #expect(cached.skipped.isEmpty && cached.counted == 0 && whole.counted == 0)
        }
    }

    @Test(arguments: [1, 2, 3, 7])
    func aHugeThresholdSkipsAllButTheFirstAndTheLast(steps: Int) throws {
        for request in [request(1e9, steps: steps), guided(1e9, steps: steps)] {
            let found = try outcome(request, pipeline())
            #expect(found.skipped == Array(1..<max(steps - 1, 1)))
            #expect(found.counted == max(steps - 2, 0) && found.told == found.counted)
            #expect(try found.latents.isFinite().allTrue())
        }
    }

    @Test func aThresholdBetweenIsNearerToTheWhole() throws {
        let pipeline = try pipeline()
        let whole = try outcome(guided(nil, steps: 12), pipeline).latents
        let threshold = try between { guided($0, steps: 12) }
        func distance(_ threshold: Double) throws -> Double {
            let found = try outcome(guided(threshold, steps: 12), pipeline).latents
            return try (found - whole).abs().mean().item()
        }
        let (some, all) = try (distance(threshold), distance(1e9))
        #expect(some > 0 && some < all)
    }

    /// References, inpainting, and LoRAs that make the passes of guidance differ.
    @Test func worksWithAllThatAnImageIsMadeOf() throws {
        func full(_ threshold: Double?) throws -> GenerationRequest {
            var request = guided(threshold)
            request.height = 64
            request.width = 64
            request.inputImage = try Image(contentsOf: Reference.path("inputs/init_64x64.png"))
            request.inpainting = .init(
                mask: try Image(contentsOf: Reference.path("inputs/mask_64x64.png")))
            request.editImages = [try Image(contentsOf: Reference.path("inputs/exact.png"))]
            request.resizesEditImages = false
            request.loras = [
                LoRAUse(
                    path: Reference.path("inputs/lora/peft.safetensors"), strength: 0.7,
                    branch: .conditional)
            ]
            return request
        }
        let pipeline = try pipeline()
        let whole = try outcome(full(nil), pipeline)
        #expect(try outcome(full(0), pipeline).latents.isEqual(to: whole.latents))
        let cached = try outcome(full(1e9), pipeline)
        #expect(cached.skipped == [1, 2, 3, 4])
        #expect(try cached.latents.isFinite().allTrue())
        #expect(try !cached.latents.isEqual(to: whole.latents))
    }

    /// Streamed weights: the same values, and none is loaded that is not used.
    @Test func skippedBlocksAreNotFetched() throws {
        let threshold = try between { guided($0, steps: 12) }
        let request = guided(threshold, steps: 12)
        let whole = try outcome(request, pipeline())
        let groups = try pipeline().transformer.weights.sizes().units.map(\.name)
        let first = WeightGrouping.beforeSkipping
        var slots = WeightPlacement.DeviceBufferSettings()
        slots.poisons = true
        let placements: [WeightPlacement] = [
            .streamed(resident: [], slots), .paged(kept: [], bounded: true),
            .directIO(kept: [groups[3]], bounded: true), .streamed(resident: first, slots),
            .streamed(resident: Set(groups).subtracting(first), slots),
        ]
        for placement in placements {
            for evaluateInLockstep in [false, true] {
                let pipeline = try pipeline()
                if evaluateInLockstep {
                    var plan = try pipeline.plan(request).outcome
                    plan.evaluatesInLockstep = true
                    try pipeline.place(plan)
                }
                pipeline.readsAhead = true
                let found = try outcome(request, pipeline, placement)
                let counters = pipeline.transformer.weights.counters
                #expect(try found.latents.isEqual(to: whole.latents))
                #expect(found.skipped == whole.skipped)
                var stays: Set<String> = []
                if case .streamed(let resident, _) = placement { stays = resident }
                let streamed = groups.filter { !stays.contains($0) }
                let early = streamed.count { first.contains($0) }
                let passes = evaluateInLockstep ? 1 : 2
                #expect(
                    counters.units
                        == passes * ((12 - found.counted) * streamed.count + found.counted * early),
                    "\(placement), \(evaluateInLockstep)")
                #expect(counters.restarts == 0)
            }
        }
    }

    @Test func differencesAddUpFromOneCompleteStepToTheNext() throws {
        let cache = FirstBlockCache(threshold: 0.25, steps: 8)
        // Off by 0.1, with the next by 0.22 together, and with the next by 0.42, which is too much.
        let sizes = [1, 1.1, 1.12, 1.2, 1.2, 1.2, 1.2, 1.2]
        var skipped: [Int] = []
        for (step, size) in sizes.enumerated() {
            cache.begin(step)
            let change = try Tensor.full([1, 4, 8], size)
            let skips = try cache.shouldSkip { change }
            // The other pass of guidance follows, whatever it would say.
            let other = try cache.shouldSkip { try change * 100 }
            #expect(other == skips)
            if skips { skipped.append(step) }
        }
        #expect(skipped == [1, 2, 4, 5, 6] && cache.skipped == 5)
    }

    @Test(arguments: [-0.1, .nan, .infinity])
    func refusesWhatIsNoThreshold(value: Double) {
        let error = #expect(throws: RequestError.self) { try request(value).validate() }
        #expect(error?.setting == "stepCache")
        #expect(throws: Never.self) { try request(0).validate() }
    }

    @Test func theForecastCountsWhatIsKept() throws {
        let model = try MemoryEstimateInput.Model(
            ModelFiles(model: Reference.ownModel("tiny-klein")))
        func bytes(_ request: GenerationRequest) throws -> Int {
            var request = request
            (request.height, request.width) = (1024, 1024)
            return try #require(
                try MemoryEstimate(
                    MemoryEstimateInput(request, model: model, dtype: .float32, threads: 2),
                    deviceKind: .cuda)[.denoise]
            ).bytes
        }
        let tensor = 4 * 4096 * model.transformer.width
        // Behind a block on the way: its change and the rest of the step before, and what the first block
        // has given in this one; small tensors beside.
        let alone = try bytes(request(0.1)) - bytes(request(nil))
        let both = try bytes(guided(0.1)) - bytes(guided(nil))
        #expect(abs(alone - 3 * tensor) < tensor / 50)
        #expect(abs(both - 4 * tensor) < tensor / 50)
    }
}
