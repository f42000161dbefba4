internal import Torch

/// The transformers that have been published; distilled and base models share an architecture.
public enum PublishedTransformer: String, Hashable, Sendable, CaseIterable {
    /// 5 double and 20 single blocks of width 3072.
    case klein4B = "FLUX.2 klein-4B or klein-base-4B"
    /// 8 double and 24 single blocks of width 4096.
    case klein9B = "FLUX.2 klein-9B or klein-base-9B"
    /// 8 double and 48 single blocks of width 6144, and guidance as an input.
    case dev = "FLUX.2 dev"

    /// The architecture, as the published `transformer/config.json` has it.
    public var configuration: TransformerConfiguration {
        let (double, single, heads, text) =
            switch self {
            case .klein4B: (5, 20, 24, 7680)
            case .klein9B: (8, 24, 32, 12288)
            case .dev: (8, 48, 48, 15360)
            }
        return TransformerConfiguration(
            doubleBlockCount: double, singleBlockCount: single, headCount: heads, headSize: 128,
            textWidth: text, embedsGuidance: self == .dev, rotaryAxes: [32, 32, 32, 32])
    }

    /// All parameters by canonical name.
    public var shapes: TensorShapes {
        let scope = Scope()
        _ = FluxTransformer(scope, configuration)
        return scope.parameters.shapes
    }

    /// The published transformer with this architecture.
    public init?(_ configuration: TransformerConfiguration) {
        guard let found = Self.allCases.first(where: { $0.configuration == configuration }) else {
            return nil
        }
        self = found
    }
}

extension TransformerConfiguration {
    /// An architecture of so many blocks and the least widths: for the names of its parameters.
    package static func smallest(doubleBlocks: Int, singleBlocks: Int) -> TransformerConfiguration {
        TransformerConfiguration(
            doubleBlockCount: doubleBlocks, singleBlockCount: singleBlocks, headCount: 1,
            headSize: 8, textWidth: 8, embedsGuidance: true, rotaryAxes: [2, 2, 2, 2])
    }
}
