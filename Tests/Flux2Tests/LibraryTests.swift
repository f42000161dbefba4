import Flux2
import Foundation
import TestSupport
import Testing

@Suite("The library has DiffSynth-Studio's face", .serialized)
struct LibraryTests {
    private let tiny = Reference.ownModel("tiny-klein")
    private let offline: HubSettings

    init() throws {
        offline = try HubSettings(environment: [
            "HF_HUB_OFFLINE": "1", "DIFFSYNTH_MODEL_BASE_PATH": "/nowhere",
        ])
    }

    private func pipeline() async throws -> Flux2ImagePipeline {
        try await Flux2ImagePipeline.fromPretrained(
            dtype: .float32, device: .cpu,
            modelConfigs: ["text_encoder", "transformer", "vae"].map {
                ModelConfig(path: LocalFiles.matching("\($0)/*.safetensors", in: tiny))
            }, settings: offline)
    }

    @Test func componentsAreToldFromTheirFiles() async throws {
        let request = {
            var request = GenerationRequest(prompt: "a red fox", seed: 3)
            (request.height, request.width, request.steps) = (64, 96, 2)
            return request
        }()
        let direct = Engine(try ModelFiles(model: tiny), dtype: .float32)
        let expected = try await direct.generate(request).image
        let byParts = try await pipeline()
        let found = try await byParts(
            prompt: "a red fox", height: 64, width: 96, seed: 3, numInferenceSteps: 2)
        #expect(found == expected)
        let byFolder = try await Flux2ImagePipeline.fromPretrained(
            dtype: .float32, device: .cpu, modelConfigs: [ModelConfig(path: tiny)],
            settings: offline)
        #expect(try await byFolder.generate(request).image == expected)
    }

    /// A call with every parameter gives the image of the request with every field; that each
    /// field changes images is shown with the program's options.
    @Test(arguments: [false, true])
    func everyParameterReachesTheRequest(withNoise: Bool) async throws {
        let inputs = Reference.own + "/inputs/"
        let start = try Image(contentsOf: inputs + "init_64x96.png")
        let mask = try Image(contentsOf: inputs + "mask_64x96.png")
        let reference = try Image(contentsOf: inputs + "exact.png")
        let conditional = LoRAUse(path: inputs + "lora/diffsynth.safetensors", strength: 0.5)
        let unconditional = LoRAUse(path: inputs + "lora/kohya.safetensors", strength: 2)
        let noise = withNoise ? Self.record([1, 128, 4, 6], 0.5) : nil
        let (text, other) = (Self.record([1, 4, 96], 1), Self.record([1, 2, 96], -1))
        let cache = Self.cache("double_0", 0.5)
        let otherCache = Self.cache("single_0", -0.5)

        var request = GenerationRequest(prompt: "a fox", seed: 5)
        request.negativePrompt = "blurry"
        (request.cfgScale, request.embeddedGuidance) = (3, 2)
        (request.textLength, request.steps, request.denoisingStrength) = (64, 3, 0.8)
        request.stepCache = 1000
        (request.height, request.width) = (64, 96)
        (request.inputImage, request.editImages) = (start, [reference])
        request.resizesEditImages = false
        request.initialNoise = noise
        request.inpainting = .init(mask: mask, blur: .init(size: 1, sigma: 2))
        (request.extras.textEmbedding, request.extras.caches) = (text, cache)
        (request.negativeExtras.textEmbedding, request.negativeExtras.caches) =
            (other, otherCache)
        request.loras = [
            LoRAUse(path: conditional.path, strength: 0.5, branch: .conditional),
            LoRAUse(path: unconditional.path, strength: 2, branch: .unconditional),
        ]
        request.tiling = .feathered(FeatheredTiles(size: 8, stride: 4))

        let klein = try await pipeline()
        let expected = try await klein.generate(request).image
        let found = try await klein(
            prompt: "a fox", negativePrompt: "blurry", cfgScale: 3, embeddedGuidance: 2,
            t5SequenceLength: 64, inputImage: start, denoisingStrength: 0.8,
            editImage: [reference], editImageAutoResize: false, height: 64, width: 96, seed: 5,
            randDevice: .cpu, initialNoise: noise, numInferenceSteps: 3, stepCache: 1000,
            kvCache: cache,
            negativeKVCache: otherCache, lora: [conditional], negativeLoRA: [unconditional],
            extraTextEmbedding: text, negativeExtraTextEmbedding: other, inpaintMask: mask,
            inpaintBlurSize: 1, inpaintBlurSigma: 2, tiled: true, tileSize: 8, tileStride: 4)
        #expect(found == expected)
        request.seed = 6
        #expect(try await (klein.generate(request).image == expected) == withNoise)
    }

    private static func record(_ shape: [Int], _ value: Float) -> HostTensor {
        let one = withUnsafeBytes(of: value.bitPattern.littleEndian, Array.init)
        return HostTensor(
            type: .F32, shape: shape,
            bytes: (0..<shape.reduce(1, *)).flatMap { _ in one })
    }

    private static func cache(
        _ block: String, _ value: Float
    ) -> [String: GenerationRequest.CacheRecord] {
        [block: .init(keys: record([1, 3, 2, 32], value), values: record([1, 3, 2, 32], 2))]
    }

    @Test func lorasStayUntilTheyAreCleared() async throws {
        let klein = try await pipeline()
        let make: @Sendable () async throws -> Image = {
            try await klein(prompt: "a fox", height: 64, width: 64, seed: 1, numInferenceSteps: 1)
        }
        let path = Reference.own + "/inputs/lora/diffsynth.safetensors"
        let without = try await make()
        try await klein.loadLoRA(path, alpha: 0.5, hotload: true)
        let with = try await make()
        #expect(with != without)
        await #expect(throws: RequestError.self) { try await klein.loadLoRA(path) }
        await klein.clearLoRA()
        #expect(try await make() == without)
    }

    @Test func presetsAreThoseOfNamedModels() async throws {
        let folder = try TemporaryFolder()
        let owner = folder.file("black-forest-labs")
        try FileManager.default.createDirectory(
            atPath: owner, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            atPath: tiny, toPath: owner + "/FLUX.2-klein-4B")
        var settings = offline
        settings.models = folder.path
        let named = try await Flux2ImagePipeline.fromPretrained(
            .klein4B, dtype: .float32, device: .cpu, settings: settings)
        #expect(named.preset == Variant.klein4B.preset)
        #expect(try await pipeline().preset == nil)
    }

    @Test func aFolderMaySayWhatSuitsItsModel() async throws {
        let folder = try TemporaryFolder()
        let model = try folder.model("tiny-klein")
        try
            #"{"flux2": {"text_length": 32, "height": 48, "width": 64, "steps": 1, "cfg_scale": 2}}"#
            .write(toFile: model + "/model_index.json", atomically: true, encoding: .utf8)
        let pipeline = try await Flux2ImagePipeline.fromPretrained(
            dtype: .float32, device: .cpu, modelConfigs: [ModelConfig(path: model)],
            settings: offline)
        let preset = try #require(pipeline.preset)
        #expect(preset.name == "tiny-klein" && preset.steps == 1 && preset.cfgScale == 2)
        #expect(preset.height == 48 && preset.width == 64)
        let image = try await pipeline(prompt: "a fox", seed: 1)
        #expect(image.width == 64 && image.height == 48)
        var request = GenerationRequest(prompt: "a fox", seed: 1)
        (request.height, request.width, request.steps) = (48, 64, 1)
        (request.cfgScale, request.textLength) = (2, 32)
        #expect(try await pipeline.generate(request).image == image)
        let other = try await pipeline(prompt: "a fox", cfgScale: 1, height: 32, seed: 1)
        #expect(other.width == 64 && other.height == 32)
    }

    @Test func whatDoesNotBelongTogetherIsRefused() async throws {
        func failure(_ configs: [ModelConfig], limit: Double? = nil) async -> String {
            do {
                _ = try await Flux2ImagePipeline.fromPretrained(
                    device: .cpu, modelConfigs: configs, vramLimit: limit, settings: offline)
                return "no error"
            } catch { return "\(error)" }
        }
        let vae = ModelConfig(path: tiny + "/vae")
        #expect(await failure([vae]).contains("no transformer"))
        #expect(await failure([vae, vae]).contains("is a second vae, beside"))
        #expect(
            await failure([.init(path: Reference.own + "/inputs/lora/peft.safetensors")])
                .contains("expected a transformer, text encoder or autoencoder"))
        #expect(
            await failure([.init(modelID: "a/b", originFilePattern: "x/*.safetensors")])
                .hasPrefix("a/b:x/*.safetensors: not on this machine, and HF_HUB_OFFLINE forbids"))
        let error = await #expect(throws: HubError.self) {
            try await Flux2ImagePipeline.fromPretrained(.klein9B, settings: offline)
        }
        #expect(error?.description.contains("looked for klein-9b, /nowhere/") == true)
    }
}
