internal import Flux2
internal import FluxModels
public import Torch

/// What an objective needs of a sample: everything in the transformer's terms.
public struct EncodedSample {
    /// The clean image, [1, C, h, w].
    public var latents: Tensor
    /// Text features, [1, T, J].
    public var text: Tensor
    /// Reference images; tokens [1, R, C] and positions [R, 4].
    public var references: (tokens: Tensor, positions: Tensor)?
    /// The noise that distillation starts from, [1, C, h, w].
    public var noise: Tensor?
    /// What the row says besides.
    public var extras = SampleExtras()

    /// Puts a sample together.
    public init(latents: Tensor, text: Tensor) {
        self.latents = latents
        self.text = text
    }

    /// What samples have to have in common to be computed side by side.
    struct Shape: Hashable {
        var latents: [Int]
        var text: Int
        var positions: [Int64]
        var guidance: Double
        var steps: Int?
    }

    func shape() throws -> Shape {
        Shape(
            latents: latents.shape, text: text.size(1),
            positions: try references?.positions.values() ?? [],
            guidance: extras.embeddedGuidance ?? 1, steps: extras.inferenceSteps)
    }

}

/// Samples of one shape, side by side.
struct SampleBatch {
    /// [B, C, h, w]
    let latents: Tensor
    /// [B, T, J]
    let text: Tensor
    /// [B, R, C]
    let references: Tensor?
    let positions: Tensor?
    let guidance: Double
    let samples: [EncodedSample]

    init(_ samples: [EncodedSample]) throws {
        func joined(_ tensors: [Tensor]) throws -> Tensor {
            tensors.count == 1 ? tensors[0] : try .concatenating(tensors, along: 0)
        }
        self.samples = samples
        latents = try joined(samples.map(\.latents))
        text = try joined(samples.map(\.text))
        let references = samples.compactMap(\.references)
        self.references = references.isEmpty ? nil : try joined(references.map(\.tokens))
        positions = references.first?.positions
        guidance = samples[0].extras.embeddedGuidance ?? 1
    }

    /// Where all tokens are: text, image, references.
    func rotary(_ configuration: TransformerConfiguration) throws -> RotaryTable {
        var parts = [
            try Positions.text(text.size(1)),
            try Positions.grid(rows: latents.size(2), columns: latents.size(3)),
        ]
        if let positions { parts.append(try positions.to(device: .cpu)) }
        return try RotaryTable(
            positions: .concatenating(parts, along: 0).to(device: latents.device),
            axes: configuration.rotaryAxes, theta: configuration.rotaryTheta)
    }
}
