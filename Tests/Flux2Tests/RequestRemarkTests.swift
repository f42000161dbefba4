@testable import Flux2
import FluxModels
import Foundation
import Imaging
import TestSupport
import Testing
import Torch

@Suite("What of a request changes nothing is told", .serialized)
struct RequestRemarkTests {
    private func remarks(
        embedsGuidance: Bool = false, _ change: (inout GenerationRequest) throws -> Void
    ) rethrows -> String {
        var request = GenerationRequest(prompt: "a fox", seed: 1)
        (request.height, request.width) = (64, 64)
        try change(&request)
        return request.remarks(embedsGuidance: embedsGuidance).joined(separator: "\n")
    }

    @Test func nothingOfAPlainRequest() {
        #expect(remarks { _ in } == "")
        #expect(remarks(embedsGuidance: true) { $0.embeddedGuidance = 2.5 } == "")
        #expect(
            remarks {
                $0.negativePrompt = "blurry"
                $0.cfgScale = 4
            } == "")
    }

    @Test func guidanceThatIsNotUsed() {
        #expect(
            remarks { $0.negativePrompt = "blurry" }.contains("--negative-prompt has no effect"))
        #expect(remarks { $0.embeddedGuidance = 2.5 }.contains("--embedded-guidance has no effect"))
        // Also where it is as usual, if somebody says so.
        #expect(remarks { $0.named = [.embeddedGuidance] }.contains("--embedded-guidance"))
    }

    @Test func startsThatAreNotUsed() throws {
        let image = Image(width: 64, height: 64, red: 1, green: 2, blue: 3)
        #expect(remarks { $0.inputImage = image }.contains("--input-image has no effect"))
        #expect(
            remarks {
                $0.inputImage = image
                $0.denoisingStrength = 0.9
            } == "")
        #expect(remarks { $0.resizesEditImages = false }.contains("--no-edit-image-auto-resize"))
        #expect(remarks { $0.stepCache = 0 }.contains("skips no step"))
        #expect(
            remarks {
                $0.stepCache = 0.2
                $0.steps = 2
            }.contains("always complete"))
        let noise = try HostTensor(Tensor.ones([1, 128, 4, 4]))
        #expect(remarks { $0.initialNoise = noise } == "")
        #expect(
            remarks {
                $0.initialNoise = noise
                $0.named = [.seed]
            }.contains("--seed has no effect"))
    }

    @Test func lorasAndTilesThatDoNothing() {
        #expect(
            remarks { $0.loras = [.init(path: "a", strength: 0)] }.contains("a: has no effect"))
        #expect(
            remarks {
                $0.loras = [.init(path: "a", branch: .conditional)]
                $0.loraMode = .fused
            }.contains("--lora-mode fused"))
        #expect(
            remarks { $0.tiling = .feathered(.init(size: 8, stride: 8)) }.contains("--tiled"))
        #expect(remarks { $0.tiling = .feathered(.init(size: 7, stride: 7)) } == "")
    }

    @Test(arguments: [
        (0, "black everywhere"), (255, "white everywhere"), (90, "one value everywhere, 90"),
    ])
    func masksOfOneValue(_ level: Int, _ words: String) {
        let value = UInt8(level)
        let mask = Image(width: 64, height: 64, red: value, green: value, blue: value)
        #expect(remarks { $0.inpainting = .init(mask: mask) }.contains(words))
        var half = mask
        half.pixels.replaceSubrange(0..<6144, with: repeatElement(UInt8(200), count: 6144))
        #expect(remarks { $0.inpainting = .init(mask: half) } == "")
        #expect(
            remarks { $0.inpainting = .init(mask: half, blur: .init(size: 0, sigma: 1)) }
                .contains("--inpaint-blur-size 0"))
    }

    @Test func resultsCarryThem() async throws {
        let engine = Engine(
            try ModelFiles(model: Reference.ownModel("tiny-klein")), dtype: .float32)
        var request = GenerationRequest(prompt: "a fox", seed: 1)
        (request.height, request.width, request.steps) = (32, 32, 1)
        #expect(try await engine.generate(request).warnings == [])
        request.negativePrompt = "blurry"
        let result = try await engine.generate(request)
        #expect(result.warnings == ["--negative-prompt has no effect while --cfg-scale is 1"])
    }
}

@Suite("A model that is not here can be planned with")
struct ExpectedModelTests {
    private func settings(_ folder: TemporaryFolder) throws -> HubSettings {
        try HubSettings(environment: [
            "DIFFSYNTH_MODEL_BASE_PATH": folder.path, "HF_HOME": folder.file("hf"),
            "MODELSCOPE_CACHE": folder.file("ms"), "HF_HUB_OFFLINE": "1",
        ])
    }

    /// What the files of the published transformers hold.
    @Test(arguments: Variant.allCases)
    func byItsPublishedShapes(variant: Variant) throws {
        let folder = try TemporaryFolder()
        let files = try ModelFiles(planning: variant.rawValue, settings: settings(folder))
        #expect(files.absent.count == 3 && files.preset == variant.preset)
        let pipeline = try Pipeline(files, device: .cpu, dtype: .bfloat16)
        let bytes = [
            PublishedTransformer.klein4B: 7_751_089_152, .klein9B: 18_157_162_496,
            .dev: 64_446_562_304,
        ]
        #expect(pipeline.transformer.weights.sizes().all == bytes[variant.transformer])
        // Embedding and the layers that are looked at.
        let text = [
            PublishedTransformer.klein4B: 3_114_088_192, .klein9B: 5_831_883_520,
            .dev: 17_343_754_240,
        ]
        #expect(pipeline.textEncoder.weights.sizes().all == 2 * (text[variant.transformer] ?? 0))
    }

    @Test func unlessNothingIsKnownOfIt() throws {
        let folder = try TemporaryFolder()
        let error = #expect(throws: HubError.self) {
            _ = try ModelFiles(planning: "somebody/something", settings: settings(folder))
        }
        #expect(error?.description.contains("not on this machine") == true)
    }
}

@Suite("Names that may have been meant")
struct NearestTests {
    private let models = Variant.allCases.map(\.rawValue) + ["emoji"]

    @Test(arguments: [
        ("klien-4b", ["klein-4b"]), ("emoij", ["emoji"]), ("KLEIN-9", ["klein-9b"]),
        ("klein-base", ["klein-base-4b", "klein-base-9b"]), ("something", []), ("", []),
    ])
    func prefixesComeFirst(_ written: String, _ meant: [String]) {
        let found = Nearest.names(to: written, among: models)
        #expect(Array(found.prefix(max(1, meant.count))) == meant, "\(found)")
    }

    @Test func missingModelsNameThem() {
        let error = ModelError(path: "klien-4b", reason: .notFound(searched: ["klien-4b"]))
        #expect(error.description.contains("did you mean klein-4b"))
        let other = ModelError(path: "/no/such", reason: .notFound(searched: ["/no/such"]))
        #expect(!other.description.contains("did you mean"))
    }
}
