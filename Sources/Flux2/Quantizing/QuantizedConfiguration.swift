internal import FileSupport
internal import FluxModels
internal import Foundation

/// The `config.json` of a component, which goes beside the checkpoint that is made of it.
enum QuantizedConfiguration {
    /// Of a transformer, read from a file or told from shapes.
    case transformer(TransformerConfiguration, file: String)
    /// Of a text encoder, read from a file or told from shapes.
    case textEncoder(TextEncoderConfiguration, file: String)

    private var original: String {
        switch self {
        case .transformer(_, let file), .textEncoder(_, let file): file
        }
    }

    /// Refuses a folder whose `config.json` describes something else: it would be believed.
    ///
    /// - Throws: `ModelError`, `FileError`.
    func check(beside path: String) throws {
        let file = ComponentFile.configurationPath(beside: path)
        guard FileManager.default.fileExists(atPath: file) else {
            return try AtomicFile.checkWritable(file, overwrite: false)
        }
        let isSame =
            switch self {
            case .transformer(let own, _):
                try? Configuration.read(TransformerConfiguration.self, from: file) == own
            case .textEncoder(let own, _):
                try? Configuration.read(TextEncoderConfiguration.self, from: file) == own
            }
        guard isSame == true else {
            throw ModelError(
                path: file,
                reason: .mismatch("describes another model than the one to be written beside it"))
        }
    }

    /// Writes the file beside a checkpoint, unless it is there.
    ///
    /// - Throws: `FileError`.
    func write(beside path: String) throws {
        let file = ComponentFile.configurationPath(beside: path)
        guard !FileManager.default.fileExists(atPath: file) else { return }
        let bytes = try WholeFile.contents(original) ?? described()
        try AtomicFile.write(file, bytes: Array(bytes), overwrite: false)
    }

    /// The architecture in the fields that published files have.
    private func described() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        switch self {
        case .transformer(let shape, _): return try encoder.encode(shape)
        case .textEncoder(let shape, _): return try encoder.encode(Fields(shape))
        }
    }

    private struct Fields: Encodable {
        var model_type: String
        var hidden_size, intermediate_size, num_hidden_layers, num_attention_heads: Int
        var num_key_value_heads, head_dim, vocab_size: Int
        var rope_theta, rms_norm_eps: Double

        init(_ shape: TextEncoderConfiguration) {
            model_type = shape.family == .qwen3 ? "qwen3" : "mistral"
            hidden_size = shape.width
            intermediate_size = shape.feedForwardWidth
            num_hidden_layers = shape.layerCount
            num_attention_heads = shape.headCount
            num_key_value_heads = shape.keyValueHeadCount
            head_dim = shape.headSize
            vocab_size = shape.vocabularySize
            rope_theta = shape.rotaryTheta
            rms_norm_eps = shape.epsilon
        }
    }
}
