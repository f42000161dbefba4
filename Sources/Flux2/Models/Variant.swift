public import FluxModels

/// The published models by the names that `--model` takes.
public enum Variant: String, Hashable, Sendable, CaseIterable {
    /// klein of 4 billion parameters, distilled to 4 steps.
    case klein4B = "klein-4b"
    /// klein of 4 billion parameters before distillation: 50 steps with guidance.
    case kleinBase4B = "klein-base-4b"
    /// klein of 9 billion parameters, distilled to 4 steps.
    case klein9B = "klein-9b"
    /// klein of 9 billion parameters before distillation: 50 steps with guidance.
    case kleinBase9B = "klein-base-9b"
    /// The largest: 50 steps, with guidance as an input.
    case dev

    /// The repository on Hugging Face and ModelScope.
    public var hubID: String {
        let name =
            switch self {
            case .klein4B: "FLUX.2-klein-4B"
            case .kleinBase4B: "FLUX.2-klein-base-4B"
            case .klein9B: "FLUX.2-klein-9B"
            case .kleinBase9B: "FLUX.2-klein-base-9B"
            case .dev: "FLUX.2-dev"
            }
        return "black-forest-labs/" + name
    }

    /// The model whose text encoder, autoencoder and tokenizer go with this one's transformer.
    public var companion: Variant? {
        switch self {
        case .kleinBase4B: .klein4B
        case .kleinBase9B: .klein9B
        case .klein4B, .klein9B, .dev: nil
        }
    }

    /// The architecture, which a base model shares with the distilled one.
    public var transformer: PublishedTransformer {
        switch self {
        case .klein4B, .kleinBase4B: .klein4B
        case .klein9B, .kleinBase9B: .klein9B
        case .dev: .dev
        }
    }

    /// Whether few steps are enough, without classifier-free guidance.
    public var isDistilled: Bool { self == .klein4B || self == .klein9B }

    /// What the makers recommend.
    public var preset: Preset {
        Preset(
            name: rawValue, steps: isDistilled ? 4 : 50,
            cfgScale: isDistilled || self == .dev ? 1 : 4,
            embeddedGuidance: self == .dev ? 4 : nil)
    }

    /// The text encoder, in words.
    public var encoderName: String {
        switch transformer {
        case .klein4B: "Qwen3-4B"
        case .klein9B: "Qwen3-8B"
        case .dev: "Mistral-Small-3.2-24B"
        }
    }

    /// The terms that weights are published under.
    public struct License: Hashable, Sendable {
        /// What the license is called.
        public var name: String
        /// Whether one has to agree on the hub before files can be fetched.
        public var isGated: Bool
    }

    /// The license of this model's weights.
    public var license: License {
        switch self {
        case .klein4B, .kleinBase4B: License(name: "Apache 2.0", isGated: false)
        case .klein9B, .kleinBase9B, .dev:
            License(name: "FLUX non-commercial", isGated: true)
        }
    }

    /// The bytes of each component's files.
    public var sizes: [Component: Int] {
        switch transformer {
        case .klein4B:
            [
                .transformer: 7_751_109_744, .textEncoder: 8_044_981_992,
                .autoencoder: 168_120_878,
            ]
        case .klein9B:
            [
                .transformer: 18_157_190_880, .textEncoder: 16_381_516_776,
                .autoencoder: 168_120_878,
            ]
        case .dev:
            [
                .transformer: 64_446_602_440, .textEncoder: 48_022_800_560,
                .autoencoder: 336_213_556,
            ]
        }
    }

    /// The model of a name, a repository, or a folder that is called like one.
    public init?(named name: String) {
        let last = name.split(separator: "/").last.map { $0.lowercased() } ?? ""
        let inCache = name.lowercased().replacing("--", with: "/")
        guard
            let found = Self.allCases.first(where: { variant in
                let id = variant.hubID.lowercased()
                return last == variant.rawValue
                    || last == id.split(separator: "/").last.map(String.init)
                    || inCache.contains("/models/\(id)/snapshots/")
            })
        else { return nil }
        self = found
    }
}

/// Settings that suit a model better than the general ones.
public struct Preset: Hashable, Sendable {
    /// Whose settings these are: a variant's name, a model's own, or `distilled`.
    public var name: String
    /// Evaluations of the transformer for each pass of guidance.
    public var steps: Int
    /// Classifier-free guidance; 1 does without.
    public var cfgScale: Double
    /// Guidance as an input; nil for models that have no such input.
    public var embeddedGuidance: Double?
    /// Pixels; nil is the general setting.
    public var height: Int?
    /// Pixels; nil is the general setting.
    public var width: Int?
}
