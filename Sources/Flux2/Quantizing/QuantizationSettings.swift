internal import ModelHub
public import Torch

/// Which weights are quantized into 8 bits, and how.
public struct QuantizationSettings: Hashable, Sendable, Codable {
    /// The format of the weights that are quantized.
    public var format: QuantizationFormat
    /// Whether all weights are quantized, vectors included, as DiffSynth-Studio keeps a model in 8 bits;
    /// for ``Torch/QuantizationFormat/float8`` alone.
    public var packsAll: Bool
    /// Patterns of names that are not quantized, with `*`, `?` and `[abc]`.
    public var excluded: [String]
    /// Patterns of names of matrices that are quantized whatever else is said.
    public var included: [String]

    /// Packs all matrices but those of ``alwaysKept``, unless told otherwise.
    public init(
        _ format: QuantizationFormat, packsAll: Bool = false, excluded: [String] = [],
        included: [String] = []
    ) {
        self.format = format
        self.packsAll = packsAll
        self.excluded = excluded
        self.included = included
    }

    /// What stays as it is without being named: small against the rest, and used for each token or
    /// each modulation.
    public static let alwaysKept = [
        "x_embedder.*", "context_embedder.*", "time_guidance_embed.*", "*_modulation*.linear.*",
        "norm_out.*", "proj_out.*", "*embed_tokens.*", "*norm*",
    ]

    /// Whether a weight is quantized.
    ///
    /// - Parameter names: what it is called, canonical and in the file; patterns may mean either.
    func quantizes(_ names: [String], shape: [Int]) -> Bool {
        func matches(_ patterns: [String]) -> Bool {
            patterns.contains { Self.matches($0, names) }
        }
        let isMatrix = shape.count > 1
        if isMatrix, matches(included) { return true }
        if matches(excluded) { return false }
        return packsAll || (isMatrix && !matches(Self.alwaysKept))
    }

    /// Whether a pattern means a weight; `.weight` at its end may be left out.
    static func matches(_ pattern: String, _ names: [String]) -> Bool {
        let (whole, layer) = (FilePattern(pattern), FilePattern(pattern + ".weight"))
        return names.contains { whole.matches($0) || layer.matches($0) }
    }
}
