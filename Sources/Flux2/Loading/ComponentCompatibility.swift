package import FluxModels

/// Whether the components of a model belong together, told before anything is loaded.
package enum ComponentCompatibility {
    /// - Throws: `ModelError` naming `path` for an encoder that ends before the last hidden state that
    ///   the transformer looks at.
    package static func requireDepth(
        of encoder: TextEncoderConfiguration, _ path: String
    ) throws {
        let needed = encoder.depth
        guard encoder.layerCount >= needed else {
            throw ModelError(
                path: path,
                reason: .mismatch("has \(encoder.layerCount) layers, \(needed) are needed"))
        }
        // Which layers a file may have for nothing is known for the families only.
        let isKnown = needed == encoder.family.taps.max() || needed == encoder.layerCount
        guard isKnown else {
            throw ModelError(
                path: path,
                reason: .mismatch(
                    "has \(encoder.layerCount) layers; the last of text_encoder_out_layers must be "
                        + "that, not \(needed)"))
        }
    }

    /// - Throws: `ModelError` naming both for text features that the transformer does not take.
    package static func require(
        _ encoder: TextEncoderConfiguration, _ path: String,
        for transformer: TransformerConfiguration, _ transformerPath: String
    ) throws {
        guard encoder.featureWidth == transformer.textWidth else {
            throw ModelError(
                path: path,
                reason: .mismatch(
                    "gives text features of width \(encoder.featureWidth), the transformer in "
                        + "\(transformerPath) takes \(transformer.textWidth)"))
        }
    }

    /// - Throws: `ModelError` naming both for latents that the transformer does not take.
    package static func require(
        _ autoencoder: AutoencoderConfiguration, _ path: String,
        for transformer: TransformerConfiguration, _ transformerPath: String
    ) throws {
        guard autoencoder.patchedChannels == transformer.latentChannels else {
            throw ModelError(
                path: path,
                reason: .mismatch(
                    "gives latents of \(autoencoder.patchedChannels) channels, the transformer in "
                        + "\(transformerPath) takes \(transformer.latentChannels)"))
        }
    }
}
