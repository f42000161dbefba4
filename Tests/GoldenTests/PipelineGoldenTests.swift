@testable import Flux2
import TestSupport
import Testing
import Torch

extension GoldenTests {
    @Suite("Whole generations reproduce the reference")
    struct PipelineGoldens {
        @Test func everyCaseAgrees() throws {
            try runGoldens("pipeline", where: { $0.contains("_t2i_") }) { golden in
                let folder = Reference.path("models/\(try #require(golden.string("model")))")
                let pipeline = try Pipeline(
                    ModelFiles(model: folder), device: .cpu, dtype: golden.dtype)
                let request = try Self.request(golden)
                var run = try GenerationRun(pipeline, request)
                run.onStep = { try Self.compare(golden, $0) }
                let conditioning = try run.encode { _ in }
                let noise = try run.drawNoise()
                if golden.outputs.contains("initial_noise") {
                    try golden.expect(LatentTokens.pack(noise), "initial_noise")
                }
                let latents = try run.denoise(noise, given: conditioning) { _ in }
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
            return request
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
                let decoded = try pipeline.autoencoder.load().decode(latents)
                try golden.expect(decoded, "decoded")
            }
        }
    }
}
