package import FluxModels

extension Component {
    /// What DiffSynth-Studio's checkpoints put before canonical names.
    ///
    /// - Parameter family: the text encoder's, whose two kinds have names of their own.
    package func trainingPrefix(_ family: TextEncoderConfiguration.Family?) -> String {
        switch self {
        case .transformer: "pipe.dit."
        case .autoencoder: "pipe.vae."
        case .textEncoder:
            family == .mistral3
                ? "pipe.text_encoder.model.language_model." : "pipe.text_encoder_qwen3.model."
        }
    }
}
