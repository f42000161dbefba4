public import Torch

/// Text features for the transformer: some hidden states of a language model, side by side.
///
/// Layers past the last tap are neither loaded nor run.
///
/// - Source: `Flux2TextEncoder` and `ZImageTextEncoder`, DiffSynth-Studio.
public struct TextEncoder {
    /// The architecture that the parameters were declared by.
    public let configuration: TextEncoderConfiguration
    private let taps: [Int]
    private let embedding: Embedding
    private let layers: [DecoderLayer]
    private let norm: RoundedRMSNorm?

    /// Declares the model under `scope`; weights are loaded into its parameters afterwards.
    ///
    /// - Parameter taps: the hidden states to give, by how many layers they have passed. As in
    ///   transformers, the one after all layers of the file is normalized.
    public init(_ scope: Scope, _ configuration: TextEncoderConfiguration, taps: [Int]? = nil) {
        let taps = taps ?? configuration.taps
        let depth = taps.max() ?? 0
        precondition(depth <= configuration.layerCount, "tap \(depth) of a shallower model")
        self.configuration = configuration
        self.taps = taps
        embedding = Embedding(
            scope["embed_tokens"], count: configuration.vocabularySize, width: configuration.width)
        layers = (0..<depth).map { DecoderLayer(scope["layers"][$0], configuration) }
        norm =
            depth < configuration.layerCount || depth == 0
            ? nil
            : RoundedRMSNorm(
                scope["norm"], width: configuration.width, epsilon: configuration.epsilon)
    }

    /// Computes the features of one text, rows of padding included.
    ///
    /// - Parameters:
    ///   - ids: token ids, padding included.
    ///   - real: false for padding.
    ///   - roundsFrequencies: whether rotary frequencies are rounded to `dtype` as DiffSynth does.
    /// - Shapes: → [1, T, taps · D] of `dtype`.
    public func callAsFunction(
        ids: [Int], real: [Bool], dtype: DType, device: Device = .cpu,
        roundsFrequencies: Bool = true, observe: Observer = ignoreOutputs
    ) throws -> Tensor {
        precondition(ids.count == real.count, "\(ids.count) ids with a mask of \(real.count)")
        let text = try PaddedText(real, device: device)
        return try features(
            of: [ids[text.computed]], text, dtype, device, roundsFrequencies, observe)
    }

    /// Computes the features of texts of one length side by side, as training them needs.
    ///
    /// - Parameter texts: token ids with false for padding, of one length each.
    /// - Shapes: → [B, T, taps · D] of `dtype`.
    public func callAsFunction(
        batch texts: [(ids: [Int], real: [Bool])], dtype: DType, device: Device = .cpu,
        roundsFrequencies: Bool = true, observe: Observer = ignoreOutputs
    ) throws -> Tensor {
        let length = texts.first?.ids.count ?? 0
        precondition(
            texts.allSatisfy { $0.ids.count == length && $0.real.count == length },
            "texts of several lengths")
        return try features(
            of: texts.map { $0.ids[...] },
            PaddedText(batch: texts.map(\.real), device: device), dtype, device,
            roundsFrequencies, observe)
    }

    private func features(
        of texts: [ArraySlice<Int>], _ text: PaddedText, _ dtype: DType, _ device: Device,
        _ roundsFrequencies: Bool, _ observe: Observer
    ) throws -> Tensor {
        let places = try Tensor.from(
            texts.joined().map(Int64.init), shape: [texts.count, text.computed.count]
        ).to(device: device)
        var hidden = try embedding(places, dtype: dtype)
        let rotary = try RotateHalfTable(
            places: text.computed, size: configuration.headSize, theta: configuration.rotaryTheta,
            frequencyType: roundsFrequencies ? dtype : .float32, like: hidden)
        var states = [0: hidden]
        for (index, layer) in layers.enumerated() {
            hidden = try layer(hidden, rotary: rotary, text: text)
            if taps.contains(index + 1) { states[index + 1] = hidden }
            try observe("layers.\(index)", hidden)
        }
        if let norm { states[layers.count] = try norm(hidden) }
        return try text.padded(.concatenating(taps.compactMap { states[$0] }, along: -1))
    }
}
