@testable import Flux2
import FluxModels
import Foundation
import Offloading
import Checkpoints
import TestSupport
import Testing
import Torch

extension GoldenTests {
    /// The components and the request of diffusers' own fast test of its klein pipeline; see
    /// `Tests/Reference/make_diffusers_slice.py`.
    @Suite("diffusers' own tiny test is met")
    struct Slice {
        @Test func toOneTenThousandth() throws {
            let folder = Reference.own + "/goldens/slice/klein_test_f32"
            let file = try SafetensorsFile(path: folder + ".safetensors")
            func tensor(_ name: String) throws -> Tensor {
                try .mapped(#require(file[name]), of: file)
            }
            let image = try withoutGradients {
                try decodedImage(
                    text: tensor("in.text"), noise: tensor("in.noise"), sigmas: tensor("in.sigmas"))
            }
            let corner = try image.slice(5..<8, along: 2).slice(5..<8, along: 3)
                .slice(2..<3, along: 1).reshaped([3, 3])
            let expected = try tensor("out.slice")
            #expect(try (corner - expected).abs().maximum().item() < 1e-4)
        }

        /// Two Euler steps with guidance 4, decoded to [0, 1].
        private func decodedImage(text: Tensor, noise: Tensor, sigmas: Tensor) throws -> Tensor {
            let model = TinyModel(path: Reference.ownModel("diffusers-klein-test"))
            let transformer = try model.transformer()
            let levels: [Float] = try sigmas.values()
            let positions = try Tensor.concatenating(
                [Positions.text(64), Positions.grid(rows: 4, columns: 4)], along: 0)
            let rotary = try RotaryTable(
                positions: positions, axes: transformer.configuration.rotaryAxes,
                theta: transformer.configuration.rotaryTheta)
            var latents = noise
            for (now, next) in zip(levels, levels.dropFirst()) {
                let velocities = try (0..<2).map { branch in
                    try transformer(
                        TransformerInput(
                            latents: latents, text: text.slice(branch..<branch + 1, along: 0),
                            sigma: .from([now]), guidance: 4, rotary: rotary))
                }
                let velocity = try FlowStep.guided(
                    conditional: velocities[0], unconditional: velocities[1], scale: 4)
                latents = try FlowStep.euler(latents, velocity: velocity, from: now, to: next)
            }
            let decoded = try model.autoencoder()
                .decode(LatentTokens.unpack(latents, height: 4, width: 4))
            return try (decoded * 0.5 + 0.5).clamped(to: 0...1)
        }
    }
}
