internal import Torch

/// The parts that go with a published transformer.
extension PublishedTransformer {
    /// The architecture of its text encoder, as the published `text_encoder/config.json` has it.
    public var textEncoder: TextEncoderConfiguration {
        let (family, width, feedForward, layers, words, theta, epsilon):
            (TextEncoderConfiguration.Family, Int, Int, Int, Int, Double, Double) =
                switch self {
                case .klein4B: (.qwen3, 2560, 9728, 36, 151_936, 1e6, 1e-6)
                case .klein9B: (.qwen3, 4096, 12288, 36, 151_936, 1e6, 1e-6)
                case .dev: (.mistral3, 5120, 32768, 40, 131_072, 1e9, 1e-5)
                }
        return TextEncoderConfiguration(
            family: family, width: width, feedForwardWidth: feedForward, layerCount: layers,
            headCount: 32, keyValueHeadCount: 8, headSize: 128, vocabularySize: words,
            rotaryTheta: theta, epsilon: epsilon)
    }

    /// The architecture of the autoencoder, which all have in common.
    public var autoencoder: AutoencoderConfiguration {
        let widths = [128, 256, 512, 512]
        return AutoencoderConfiguration(encoderWidths: widths, decoderWidths: widths)
    }

    /// What a checkpoint of a part holds.
    package func content(of component: Component) -> Detection.Content {
        switch component {
        case .transformer: .transformer(configuration)
        case .textEncoder: .textEncoder(textEncoder.family, textEncoder)
        case .autoencoder: .autoencoder(autoencoder)
        }
    }

    /// The parameters of a part by canonical name; of a text encoder, those that are used.
    package func shapes(of component: Component) -> TensorShapes {
        let scope = Scope()
        switch component {
        case .transformer: _ = FluxTransformer(scope, configuration)
        case .textEncoder: _ = TextEncoder(scope, textEncoder)
        case .autoencoder: _ = Autoencoder(scope, autoencoder)
        }
        return scope.parameters.shapes
    }
}
