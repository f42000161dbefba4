internal import FluxModels
internal import Imaging
internal import Torch

/// Turns clean latents into a picture.
struct DecodeStage {
    let autoencoder: Autoencoder

    /// - Shapes: `latents` [1, 4C, h, w].
    /// - Throws: `CancellationError` between layers.
    func callAsFunction(_ latents: Tensor, onEvent: (GenerationEvent) -> Void) throws -> Image {
        let configuration = autoencoder.configuration
        let total = 2 + configuration.decoderWidths.count * (configuration.unitsPerLevel + 2)
        var done = 0
        let pixels = try autoencoder.decode(latents) { _, _ in
            try Task.checkCancellation()
            done += 1
            onEvent(.working(stage: .decode, done: done, of: total))
        }
        let image = try pixels.picture()
        onEvent(.decoded)
        return image
    }
}
