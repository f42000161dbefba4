import Flux2
import FluxModels
@testable import FluxTraining
import TestSupport
import Testing
import Torch

@Suite("What training will take is told before it begins")
struct TrainingMemoryEstimateTests {
    /// klein-4B at 1024x1024: 4096 tokens of the image, 512 of the caption.
    private func klein4B(_ change: (inout TrainingEstimateInput) -> Void = { _ in })
        -> TrainingEstimateInput
    {
        var demand = TrainingEstimateInput(
            PublishedTransformer.klein4B.configuration, imageTokens: 4096)
        change(&demand)
        return demand
    }

    private func bytes(_ demand: TrainingEstimateInput, _ name: String) -> Int? {
        TrainingMemoryEstimate(demand).parts.first { $0.name == name }?.bytes
    }

    /// All 100 matrices of klein-4B's blocks.
    private func adapters(rank: Int) throws -> [[Int]] {
        let shapes = PublishedTransformer.klein4B.shapes
        return try LoRATargets.automatic.keys(among: shapes).flatMap { key in
            let shape = try #require(shapes[key])
            return [[rank, shape[1]], [shape[0], rank]]
        }
    }

    @Test("activations of klein-4B are those that were measured for the reference")
    func activationsOfKlein4B() {
        let lora = klein4B { $0.recomputes = true }
        // 25 blocks of 4608 · 3072 numbers of 2 bytes, and 26 such for the block at hand.
        #expect(bytes(lora, "inputs of blocks") == 707_788_800)
        #expect(bytes(lora, "a block recomputed") == 736_100_352)
        #expect(bytes(klein4B(), "activations of blocks") == 18_402_508_800)
        let full = klein4B { ($0.recomputes, $0.trainsWeights) = (true, true) }
        #expect(bytes(full, "a block recomputed") == 849_346_560)
        let distilled = klein4B { ($0.recomputes, $0.evaluations) = (true, 4) }
        #expect(bytes(distilled, "inputs of blocks") == 4 * 707_788_800)
        let four = klein4B { ($0.recomputes, $0.batchSize) = (true, 4) }
        #expect(bytes(four, "a block recomputed") == 4 * 736_100_352)
    }

    @Test("a LoRA of rank 32 on klein-4B has 48168960 values")
    func weightsOfALoRA() throws {
        var demand = klein4B()
        demand.trained = try adapters(rank: 32)
        #expect(demand.trainedCount == 48_168_960 && demand.trained.count == 200)
        #expect(bytes(demand, "trained weights") == 96_337_920)
        #expect(bytes(demand, "gradients") == 96_337_920)
        #expect(bytes(demand, "adamw state") == 2 * 96_337_920)
        demand.masterWeights = .float32
        #expect(bytes(demand, "adamw state") == 8 * 48_168_960)
        #expect(bytes(demand, "fp32 master weights") == 4 * 48_168_960)
        demand.averages = true
        #expect(bytes(demand, "averages of weights") == 4 * 48_168_960)
        demand.dtype = .float32
        #expect(bytes(demand, "fp32 master weights") == nil)
    }

    @Test("full training of klein-4B takes 8 bytes for each weight, or 16 with master weights")
    func weightsOfFullTraining() {
        var demand = klein4B()
        demand.trained = PublishedTransformer.klein4B.shapes.values.map { $0 }
        demand.trainsWeights = true
        let count = 3_875_544_576
        #expect(demand.trainedCount == count)
        #expect(TrainingMemoryEstimate(demand).bytes(.held) == 8 * count)
        demand.masterWeights = .float32
        #expect(TrainingMemoryEstimate(demand).bytes(.held) == 16 * count)
        (demand.sharding, demand.processes) = (.gradients, 8)
        let stage2 = 2 * count + 14 * count / 8
        #expect(TrainingMemoryEstimate(demand).bytes(.held) == stage2)
        demand.sharding = .states
        let stage1 = 4 * count + 12 * count / 8
        #expect(TrainingMemoryEstimate(demand).bytes(.held) == stage1)
    }

    @Test("8-bit moments and factored ones take what the optimizers themselves ask for")
    func stateOfOptimizers() {
        var demand = klein4B()
        demand.trained = [[512, 256], [10]]
        demand.optimizer = .adam8bit
        // Two bytes a value with two scales of 4 bytes for 256; few values have 32 bits.
        let eightBit = 2 * 131_072 + 2 * 4 * 512 + 2 * 4 * 10
        #expect(bytes(demand, "adam8bit state") == eightBit)
        demand.optimizer = .adafactor
        #expect(bytes(demand, "adafactor state") == 4 * (512 + 256) + 4 * 10)
        demand.optimizer = .sgd
        #expect(bytes(demand, "sgd state") == nil)
    }

    @Test("a step of klein-4B is three evaluations for a LoRA, four for all weights")
    func workOfAStep() {
        // 512x512: 1024 and 512 tokens; a block has 13 · 3072² weights for each.
        var demand = TrainingEstimateInput(
            PublishedTransformer.klein4B.configuration, imageTokens: 1024)
        demand.recomputes = true
        let lora = StepWork(demand)
        let blocks = Double(2 * 1536 * 25 * 13 * 3072 * 3072)
        let around = Double(2 * 3072 * (2 * 1024 * 128 + 512 * 7680))
        let products: Double = blocks + around
        let attention: Double = 4 * 25 * 1536 * 1536 * 3072
        let (three, four): (Double, Double) = (3 * products, 4 * products)
        #expect(lora.products == products && lora.attention == attention)
        #expect(lora.step == three + 4.5 * attention)
        demand.trainsWeights = true
        #expect(StepWork(demand).step == four + 4.5 * attention)
    }

    @Test("the tiny model's steps, samples and tensors are counted before they are made")
    func aPlanOfTheTinyModel() throws {
        let folder = try ImageFolder(count: 5)
        let plan = try TrainingPlan(
            folder.settings { $0.data.batchSize = 2 }, folder.files(), dtype: .float32)
        // Three images of one size and two of another: two batches of the one, one of the other.
        #expect(plan.outline.steps == 3 * 2 && plan.outline.updates == 6)
        #expect(plan.largest.image.description == "96x64" && plan.largest.tokens == 24)
        // 12 matrices in each of two blocks, 2 in each of three.
        #expect(plan.outline.tensors == 2 * 30)
        #expect(plan.demand.tokens == 24 + 512)
    }
}
