import Flux2
import FluxModels
import Testing

@testable import FluxTraining

@Suite("Numbers of trainings are looked at before they are used")
struct NumberTests {
    @Test func settingsOutOfTheirDomainsAreNamed() {
        let changes: [(String, (inout TrainingSettings) -> Void)] = [
            ("repeats", { $0.data.repeats = .max }), ("workers", { $0.data.workers = -1 }),
            ("height", { $0.data.height = 1 << 62 }), ("maxPixels", { $0.data.maxPixels = 0 }),
            ("batchSize", { $0.data.batchSize = .max }), ("keptBytes", { $0.data.keptBytes = -1 }),
            ("loraRank", { $0.method.loraRank = .max }),
            ("loraAlpha", { $0.method.loraAlpha = -1 }),
            ("divergenceWeight", { $0.divergenceWeight = .nan }),
            ("learningRate", { $0.optimization.learningRate = 1e39 }),
            ("weightDecay", { $0.optimization.weightDecay = -1 }),
            ("epochs", { $0.optimization.epochs = .max }),
            ("accumulation", { $0.optimization.accumulation = .max }),
            ("warmup", { $0.optimization.warmup = -1 }),
            ("clippedNorm", { $0.optimization.clippedNorm = -1 }),
            ("averageDecay", { $0.optimization.averageDecay = 1 }),
            ("stopAfterSeconds", { $0.optimization.stopAfterSeconds = .infinity }),
            ("saveEvery", { $0.output.saveEvery = 0 }),
            ("heldOut", { $0.validation.heldOut = .max }),
            ("sampleSteps", { $0.validation.sampleSteps = 0 }),
            ("sampleHeight", { $0.validation.sampleHeight = .max }),
            ("sampleScale", { $0.validation.sampleScale = .nan }),
        ]
        for (name, change) in changes {
            var settings = TrainingSettings()
            change(&settings)
            let error = #expect(throws: TrainingError.self) { try settings.check() }
            #expect(error?.description.hasPrefix(name + " must be ") == true, "\(error!)")
        }
    }

    @Test func aBatchOfLargeImagesHasABound() {
        var settings = TrainingSettings()
        settings.data.height = 16384
        settings.data.width = 16384
        settings.data.batchSize = 4096
        let error = #expect(throws: TrainingError.self) { try settings.check() }
        #expect(error?.description.contains("batchSize must be at most 64 ") == true)
    }

    @Test func zeroMeansWhatItMeansElsewhere() throws {
        var method = MethodSettings()
        #expect(method.appliedAlpha == 32)
        method.loraAlpha = 0
        #expect(method.appliedAlpha == 32)
        method.loraAlpha = 8
        #expect(method.appliedAlpha == 8)
    }

    @Test func anEpochThatCannotBePutInOrderIsRefused() throws {
        #expect(try DataOrder.length(3, 1000) == 3000)
        for (count, repeats) in [(3, Int.max), (1 << 40, 1 << 40), (1 << 20, 1 << 6)] {
            let order = DataOrder(count: count, repeats: repeats, seed: 1)
            let error = #expect(throws: TrainingError.self) { _ = try order.samples(epoch: 0) }
            #expect(error?.description.contains("--dataset_repeat") == true)
        }
    }

    @Test func columnsOutOfTheirDomainsAreRefused() {
        for (name, number) in [
            ("num_inference_steps", 0), ("num_inference_steps", 1e15), ("noise_scale", .infinity),
            ("min_timestep_boundary", 1e300), ("max_timestep_boundary", -1), ("seed", 1e300),
            ("embedded_guidance", .nan),
        ] {
            var extras = SampleExtras()
            #expect(extras.take(name, .number(number)) != nil, "\(name) \(number)")
        }
        var extras = SampleExtras()
        extras.maxTimestepBoundary = 1e300
        #expect(throws: DataError.self) { try NoiseLevels.range(extras) }
    }

    @Test func aTextLengthOutOfRangeIsRefused() {
        for length in [-1, 0, Int.max] {
            var files = TrainingFiles()
            files.textLength = length
            #expect(throws: RequestError.self) {
                try TrainingParts(files, device: .cpu, dtype: .float32)
            }
        }
    }
}
