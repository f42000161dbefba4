@testable import Flux2
import FluxModels
import Imaging
import LoRA
import TestSupport
import Testing
@testable import Torch

/// One request, on one model, in one type.
private struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var model = "tiny-klein"
    var dtype = DType.bfloat16
    var kernels = KernelSet.avx512BFloat16
    var inLockstep = false
    var change: @Sendable (inout GenerationRequest) throws -> Void = { _ in }

    var testDescription: String { "\(name), \(model), \(dtype.name), \(kernels)" }

    private static func image(_ width: Int, _ height: Int) -> Image {
        Image(width: width, height: height, red: 120, green: 80, blue: 40)
    }

    private static let requests: [Case] = [
        Case(name: "text alone"),
        Case(name: "wide") { ($0.height, $0.width) = (128, 512) },
        Case(name: "strips") {
            $0.tiling = .strips
            ($0.height, $0.width) = (512, 512)
        },
        Case(name: "feathered tiles") { $0.tiling = .feathered(.init(size: 16, stride: 8)) },
        Case(name: "overlapping tiles") {
            $0.tiling = .overlapping(.init(imageTile: 128, latentTile: 16))
        },
        Case(name: "guidance") { ($0.cfgScale, $0.negativePrompt) = (4, "a dog") },
        Case(name: "guidance in lockstep", inLockstep: true) { $0.cfgScale = 4 },
        Case(name: "first-block cache") { $0.stepCache = 0.1 },
        Case(name: "guidance and first-block cache") {
            ($0.cfgScale, $0.stepCache) = (4, 0.1)
        },
        Case(name: "img2img") { $0.inputImage = image(256, 256) },
        Case(name: "inpainting") {
            $0.inputImage = image(256, 256)
            $0.inpainting = .init(mask: image(256, 256))
        },
        Case(name: "references") { $0.editImages = [image(256, 320), image(128, 128)] },
        Case(name: "LoRA") {
            $0.loraMode = .hot
            $0.loras = [LoRAUse(path: Reference.path("inputs/lora/peft.safetensors"), strength: 1)]
        },
        Case(name: "LoRA of the unconditional pass") {
            ($0.cfgScale, $0.loraMode) = (4, .hot)
            $0.loras = [
                LoRAUse(
                    path: Reference.path("inputs/lora/peft.safetensors"), strength: 1,
                    branch: .unconditional)
            ]
        },
        Case(name: "bundled model") {
            ($0.height, $0.width, $0.cfgScale) = (384, 384, 3)
        },
    ]

    /// Where a processor does not multiply bfloat16, libtorch takes other ways, and minutes for each.
    private static let dtypes: [DType] =
        Runtime.cpuHasBFloat16 ? [.float32, .bfloat16] : [.float32]

    static let all: [Case] = requests.flatMap { given in
        dtypes.flatMap { dtype in
            // No kernel of this package's own computes float32 here.
            let sets: [KernelSet] =
                dtype == .float32 ? [.reference] : [.reference, .avx512BFloat16]
            return sets.map { kernels in
                var one = given
                (one.dtype, one.kernels) = (dtype, kernels)
                if given.name == "bundled model" { one.model = "emoji" }
                return one
            }
        }
    }
}

/// The forecast runs the code of the models on tensors without values; what libtorch's own operations allocate
/// besides their results is told by a few kernels (`meta_kernels.cpp`). Here both are compared with what the
/// processor's allocator is asked for.
@Suite("The forecast of memory", .serialized)
struct EstimateAgainstModelTests {
    @Test(arguments: Case.all)
    fileprivate func isWhatEachStageAllocates(_ given: Case) throws {
        try KernelSet.limited(to: given.kernels) {
            try withoutGradients {
                var request = GenerationRequest(prompt: "a fox", seed: 1)
                (request.height, request.width, request.steps) = (256, 256, 3)
                request.tiling = .off
                request.resizesEditImages = false
                try given.change(&request)
                let folder =
                    given.model == "emoji"
                    ? Reference.bundledModel : Reference.ownModel(given.model)
                let pipeline = try Pipeline(
                    ModelFiles(model: folder), device: .cpu, dtype: given.dtype)
                let measured = try measured(pipeline, request, given)
                let told = try told(pipeline, request, given)
                #expect(Set(told.keys) == Set(measured.keys))
                for (stage, bytes) in measured {
                    let forecast = try #require(told[stage])
                    #expect(
                        (-Self.scratch...bytes / 100 + Self.more(stage)).contains(forecast - bytes),
                        "\(stage): \(forecast) for \(bytes)")
                }
            }
        }
    }

    /// Bytes by which a forecast may be below: what oneDNN keeps for its own use during a product.
    private static let scratch = 200_000

    /// Bytes by which a forecast may be above: how many words a prompt has is not known before, so all
    /// places are taken for words; the pixels of images to encode are counted, too.
    private static func more(_ stage: StageMemory.Stage) -> Int {
        switch stage {
        case .encode: 600_000
        case .images: 3 * 256 * 320 + 16_384
        case .denoise, .decode: 16_384
        }
    }

    private func told(
        _ pipeline: Pipeline, _ request: GenerationRequest, _ given: Case
    ) throws -> [StageMemory.Stage: Int] {
        let (demand, _) = pipeline.demand(
            of: request, MemorySettings(), inLockstep: given.inLockstep)
        var run = try MetaRun(
            demand, .cpu, .pooled,
            pipeline.loras.shapes(request.loras, mode: request.loraMode))
        _ = try run.stages()
        return run.peaks
    }

    private func measured(
        _ pipeline: Pipeline, _ request: GenerationRequest, _ given: Case
    ) throws -> [StageMemory.Stage: Int] {
        try pipeline.loras.read(request.loras) { _ in }
        pipeline.evaluatesInLockstep = given.inLockstep
        var run = try GenerationRun(pipeline, request)
        var peaks: [StageMemory.Stage: Int] = [:]
        func measure<Result>(
            _ stage: StageMemory.Stage, _ body: () throws -> Result
        ) throws -> Result {
            let (result, peak) = try AllocationCounter.measuring(body)
            peaks[stage] = peak
            return result
        }
        let features = try measure(.encode) { try run.encode { _ in } }
        let noise = try run.drawNoise()
        let prepared = try measure(.images) { try run.prepare(noise) { _ in } }
        if !run.readsImages { peaks[.images] = nil }
        let latents = try measure(.denoise) { try run.denoise(prepared, given: features) { _ in } }
        _ = try measure(.decode) { try run.decode(latents) { _ in } }
        return peaks
    }
}
