import FluxModels
import TestSupport
import Testing
import Torch

extension GoldenTests {
    @Suite("The autoencoder reproduces the reference")
    struct AutoencoderGoldens {
        /// Where nothing but libtorch computes an autoencoder, all sets are that one.
        private static let sets = [KernelSet.reference, .direct, .best].filter {
            $0 == .reference || KernelSet.current >= .direct
        }

        @Test(arguments: sets)
        func everyCaseAgrees(_ kernels: KernelSet) throws {
            try KernelSet.limited(to: kernels, allCases)
        }

        private func allCases() throws {
            try runGoldens("vae") { golden in
                let model = try TinyModel(#require(golden.string("model"))).autoencoder()
                if golden.outputs.contains("tiled_decoded") {
                    try tiles(golden, model)
                    return
                }
                let (image, latents) = try (golden.input("image"), golden.input("latents"))
                func compare(_ module: String, _ output: Tensor) throws {
                    if golden.outputs.contains(module) { try golden.expect(output, module) }
                }
                let moments = try model.moments(of: image, observe: compare)
                try golden.expect(moments, "moments")
                try golden.expect(
                    moments.slice(0..<model.configuration.latentChannels, along: 1), "mean")
                try golden.expect(model.encode(image), "encoded")
                try golden.expect(model.decode(latents, observe: compare), "decoded")
            }
        }

        private func tiles(_ golden: Golden, _ model: Autoencoder) throws {
            let tiles = try OverlappingTiles(
                imageTile: #require(golden.integer("tile_sample_min_size")),
                latentTile: #require(golden.integer("tile_latent_min_size")),
                overlap: #require(golden.number("tile_overlap_factor")))
            let (image, latents) = try (golden.input("image"), golden.input("latents"))
            try golden.expect(tiles.moments(of: image, model), "tiled_moments")
            try golden.expect(tiles.decode(unpatched: latents, model), "tiled_decoded")
            let whole = try model.decode(unpatched: latents)
            try golden.expect(
                whole.slice(0..<whole.size(2), along: 2, by: 4)
                    .slice(0..<whole.size(3), along: 3, by: 4), "decoded_every_4th_pixel")
        }
    }
}
