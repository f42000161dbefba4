public import Torch

/// The optimizers that can be named.
public enum OptimizerKind: String, Hashable, Sendable, CaseIterable {
    /// ``AdamW``.
    case adamw
    /// ``Adam``.
    case adam
    /// ``SGD``.
    case sgd
    /// ``Adam8bit``.
    case adam8bit
    /// ``Adafactor``.
    case adafactor
    /// ``Muon``.
    case muon

    /// Where Python finds what is the same, as DiffSynth-Studio's options name optimizers.
    public var importPaths: [String] {
        switch self {
        case .adamw: ["torch.optim.AdamW"]
        case .adam: ["torch.optim.Adam"]
        case .sgd: ["torch.optim.SGD"]
        case .adam8bit: ["bitsandbytes.optim.AdamW8bit", "bitsandbytes.optim.Adam8bit"]
        case .adafactor: ["transformers.Adafactor", "transformers.optimization.Adafactor"]
        // PyTorch's takes nothing but matrices, and scales changes otherwise.
        case .muon: []
        }
    }

    /// Finds an optimizer by its name or by an import path.
    ///
    /// - Throws: `OptimizerError` with those there are.
    public init(name: String) throws {
        let found = Self.allCases.first { kind in
            kind.rawValue == name.lowercased() || kind.importPaths.contains(name)
        }
        guard let found else {
            let known = Self.allCases.map(\.rawValue) + Self.allCases.flatMap(\.importPaths)
            throw OptimizerError(key: name, reason: .noOptimizer(known: known))
        }
        self = found
    }

    /// The rule with its own defaults, but for the weight decay.
    public func rule(weightDecay: Double) -> any UpdateRule {
        switch self {
        case .adamw: AdamW(weightDecay: weightDecay)
        case .adam: Adam(weightDecay: weightDecay)
        case .sgd: SGD(weightDecay: weightDecay)
        case .adam8bit: Adam8bit(weightDecay: weightDecay)
        case .adafactor: Adafactor(weightDecay: weightDecay)
        case .muon: Muon(weightDecay: weightDecay)
        }
    }

    /// An optimizer of this kind; see ``ParameterOptimizer``.
    public func optimizer(
        of parameters: [TrainableParameter], weightDecay: Double,
        masterWeights: MasterWeights = .none,
        seed: UInt64 = 0
    ) throws -> any Optimizer {
        try ParameterOptimizer(
            rule(weightDecay: weightDecay), of: parameters, masterWeights: masterWeights, seed: seed
        )
    }
}
