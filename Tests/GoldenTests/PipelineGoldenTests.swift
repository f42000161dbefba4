@testable import Flux2
import Imaging
import TestSupport
import Testing
import Torch

extension GoldenTests {
    @Suite("Whole generations reproduce the reference")
    struct PipelineGoldens {
        @Test func everyCaseAgrees() throws {
            try compare { !Self.enlargesInBFloat16($0) }
        }

        @Test(.enabled(if: Runtime.cpuHasBFloat16, "minutes without products of bfloat16"))
        func casesThatEnlargeReferencesAgreeInBFloat16() throws {
            try compare(Self.enlargesInBFloat16)
        }

        /// References of a megapixel, which pass the whole autoencoder.
        private static func enlargesInBFloat16(_ name: String) -> Bool {
            guard name.hasSuffix("_bf16"), let golden = try? Golden("pipeline", name) else {
                return false
            }
            return golden.parameters["edit_image_auto_resize"] as? Bool == true
        }

        private func compare(_ selected: (String) -> Bool) throws {
            try runGoldens("pipeline", where: selected) { golden in
                let folder = Reference.path("models/\(try #require(golden.string("model")))")
                let pipeline = try Pipeline(
                    ModelFiles(model: folder), device: .cpu, dtype: golden.dtype)
                let request = try Self.request(golden)
                var run = try GenerationRun(pipeline, request)
                run.onStep = { try Self.compare(golden, $0) }
                let features = try run.encode { _ in }
                let noise = try run.drawNoise()
                if golden.outputs.contains("initial_noise") {
                    try golden.expect(LatentTokens.pack(noise), "initial_noise")
                }
                let prepared = try run.prepare(noise) { _ in }
                try Self.compare(golden, prepared)
                let latents = try run.denoise(prepared, given: features) { _ in }
                try golden.expect(LatentTokens.pack(latents), "final_latents")
                try compareDecoded(golden, pipeline, latents)
                let image = try run.decode(latents) { _ in }
                try golden.expect(
                    .from(image.pixels, shape: [image.height, image.width, 3]), "image")
            }
        }

        static func request(_ golden: Golden) throws -> GenerationRequest {
            var request = try GenerationRequest(
                prompt: #require(golden.string("prompt")),
                seed: UInt64(#require(golden.integer("seed"))))
            request.negativePrompt = golden.string("negative_prompt") ?? ""
            request.cfgScale = try #require(golden.number("cfg_scale"))
            request.embeddedGuidance = golden.number("embedded_guidance") ?? 4
            request.height = try #require(golden.integer("height"))
            request.width = try #require(golden.integer("width"))
            request.steps = try #require(golden.integer("num_inference_steps"))
            request.denoisingStrength = golden.number("denoising_strength") ?? 1
            request.inputImage = try golden.string("input_image").map(image)
            if let names = golden.parameters["edit_image"] as? [String] {
                request.editImages = try names.map(image)
                request.resizesEditImages =
                    try #require(golden.parameters["edit_image_auto_resize"] as? Bool)
            }
            if let mask = try golden.string("inpaint_mask").map(image) {
                request.inpainting = .init(mask: mask)
                if let size = golden.integer("inpaint_blur_size"),
                    let sigma = golden.number("inpaint_blur_sigma")
                {
                    request.inpainting?.blur = .init(size: size, sigma: sigma)
                }
            }
            return request
        }

        private static func image(_ path: String) throws -> Image {
            try Image(contentsOf: Reference.path(path))
        }

        /// What was encoded, or every 173rd token of it.
        private static func compare(_ golden: Golden, _ prepared: PreparedLatents) throws {
            func expect(_ name: String, _ value: () throws -> Tensor) throws {
                if golden.outputs.contains(name) { try golden.expect(value(), name) }
            }
            func every173rd(_ x: Tensor, along axis: Int) throws -> Tensor {
                try x.slice(0..<x.size(axis), along: axis, by: 173)
            }
            try expect("input_latents") { try #require(prepared.clean) }
            try expect("inpaint_mask") { try #require(prepared.inpaintBlend?.mask) }
            try expect("edit_latents") { try #require(prepared.references?.tokens) }
            try expect("edit_latents_every_173rd") {
                try every173rd(#require(prepared.references?.tokens), along: 1)
            }
            try expect("edit_image_ids_every_173rd") {
                try every173rd(#require(prepared.references?.positions), along: 0)
                    .to(dtype: .int32).unsqueezed(0)
            }
            try expect("edit_token_count") {
                try .from([Int64(#require(prepared.references?.tokens.size(1)))], shape: [])
            }
        }

        private static func compare(_ golden: Golden, _ step: DenoisedStep) throws {
            let name = "latents_after_step\(step.index)"
            if golden.outputs.contains(name) { try golden.expect(step.latents, name) }
            if step.index == 0 && golden.outputs.contains("first_noise_pred") {
                try golden.expect(step.velocity, "first_noise_pred")
            }
        }

        private func compareDecoded(
            _ golden: Golden, _ pipeline: Pipeline, _ latents: Tensor
        ) throws {
            if golden.outputs.contains("decoded") {
                let decoded = try pipeline.autoencoder.load(passes: 1).decode(latents)
                try golden.expect(decoded, "decoded")
            }
        }
    }
}
