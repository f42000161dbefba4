internal import FluxModels
internal import Tokenization
internal import Torch

/// Turns a prompt into what the transformer reads.
struct PromptStage {
    let tokenizer: PromptTokenizer
    let encoder: TextEncoder
    let dtype: DType
    let device: Device
    /// Tokens that a prompt is cut or padded to.
    var length = 512

    /// - Shapes: → [1, length, J].
    /// - Throws: `CancellationError` between layers.
    func callAsFunction(_ prompt: String, onEvent: (GenerationEvent) -> Void) throws -> Tensor {
        let tokens = tokenizer(prompt, length: length)
        var layers = 0
        let depth = encoder.configuration.family.taps.max() ?? 0
        let features = try encoder(
            ids: tokens.ids, real: tokens.mask, dtype: dtype, device: device
        ) { _, _ in
            try Task.checkCancellation()
            layers += 1
            onEvent(.working(stage: .encode, done: layers, of: depth))
        }
        onEvent(
            .encodedPrompt(
                tokens: tokens.tokenCount, limit: length, wasTruncated: tokens.wasTruncated))
        return features
    }
}
