package import Imaging
internal import Torch

/// An image as the autoencoder sees it.
package struct EncodedImage: Sendable {
    /// Normalized latents, 4C·H/16·W/16 values, the last axis fastest.
    package let latents: [Float]
    /// What is decoded from them, if that was asked for.
    package let decoded: Image?
}

extension Engine {
    /// Passes images through the autoencoder; no other part of the model is loaded.
    ///
    /// - Parameters:
    ///   - images: images whose sides are multiples of 16.
    ///   - decoding: whether their latents are decoded again.
    ///   - onEach: called after each image with the number of those that are done.
    /// - Throws: `ModelError` for results that are NaN, `CancellationError` between layers,
    ///   and the errors of `open()`.
    package func encode(
        _ images: [Image], decoding: Bool = false, onEach: @Sendable (Int) -> Void = { _ in }
    ) throws -> [EncodedImage] {
        try withoutGradients {
            let pipeline = try openPipeline()
            defer { pipeline.end(pipeline.autoencoder) }
            return try images.enumerated().map { index, image in
                defer { onEach(index + 1) }
                return try pipeline.encode(image, decoding: decoding)
            }
        }
    }
}

extension Pipeline {
    fileprivate func encode(_ image: Image, decoding: Bool) throws -> EncodedImage {
        let model = try autoencoder.load(passes: 1)
        let latents = try EncodeStage(autoencoder: model, dtype: dtype, device: device)(image)
        try autoencoder.requireFinite(latents, "latents of an image")
        var decode = DecodeStage(autoencoder: model)
        decode.check = { [autoencoder] in try autoencoder.requireFinite($0, "pixels") }
        return EncodedImage(
            latents: try latents.values(),
            decoded: decoding ? try decode(latents) { _ in } : nil)
    }
}
