import ArgumentParser
import Flux2

/// Which model, and where its parts come from.
struct ModelOptions: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: "A folder in the hub's layout, or a name such as klein-4b; see flux2 models.")
    var model: String?

    @Option(
        name: [.long, .customLong("dit")],
        help: "Transformer weights from elsewhere: a file, an index or a folder.")
    var transformer: String?

    @Option(
        name: [.long, .customLong("text-encoder-qwen3")],
        help: "Text encoder weights from elsewhere.")
    var textEncoder: String?

    @Option(help: "Autoencoder weights from elsewhere.")
    var vae: String?

    @Option(
        name: [.long, .customLong("tokenizer-path")],
        help: "The tokenizer's folder, if not the model's own.")
    var tokenizer: String?

    func files() throws -> ModelFiles {
        try ModelFiles(
            model: model,
            overrides: .init(
                transformer: transformer, textEncoder: textEncoder, autoencoder: vae,
                tokenizer: tokenizer))
    }
}
