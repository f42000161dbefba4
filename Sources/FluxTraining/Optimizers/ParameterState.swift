internal import Torch

/// A parameter with what an optimizer keeps for it.
struct ParameterState {
    private let parameter: TrainableParameter
    private let rule: any UpdateRule
    private let masterWeights: MasterWeights
    private let parts: OptimizerState
    private let companion: Tensor?
    private var step: Int64 = 0
    private var seed: UInt64

    init(
        _ parameter: TrainableParameter, rule: any UpdateRule, masterWeights: MasterWeights,
        seed: UInt64
    ) throws {
        let weight = parameter.tensor
        let rule = rule.suited(to: parameter.name)
        self.parameter = parameter
        self.rule = rule
        self.seed = seed
        self.masterWeights = weight.dtype == .bfloat16 ? masterWeights : .none
        parts = try OptimizerState(
            rule.parts(
                forShape: weight.shape,
                dtype: self.masterWeights == .float32 ? .float32 : weight.dtype),
            device: weight.device)
        companion =
            switch self.masterWeights {
            case .none, .stochastic: nil
            case .float32: try weight.detached().to(dtype: .float32)
            case .kahan: try .zeros(weight.shape, dtype: .bfloat16, device: weight.device)
            }
    }

    private func key(_ part: String) -> String { "\(parameter.name).\(part)" }

    private var usesRandomNumbers: Bool { masterWeights == .stochastic || masterWeights == .kahan }

    /// What is kept for this parameter and is as large as it, or nearly.
    var tensors: [(name: String, tensor: Tensor)] {
        let name = masterWeights == .float32 ? "master" : "compensation"
        return parts.tensors + (companion.map { [(name, $0)] } ?? [])
    }

    func state() throws -> [String: Tensor] {
        var state = Dictionary(uniqueKeysWithValues: tensors.map { (key($0.name), $0.tensor) })
        state[key("step")] = try .from([step], shape: [])
        if usesRandomNumbers {
            state[key("seed")] = try .from([Int64(bitPattern: seed)], shape: [])
        }
        return state
    }

    /// Takes over a state that has all that `state()` has, in the same shapes and types.
    mutating func restore(_ state: [String: Tensor]) throws {
        try withoutGradients {
            for (name, tensor) in tensors {
                if let found = state[key(name)] { try tensor.assign(found) }
            }
        }
        step = try OptimizerError.count(state, key("step")).map(Int64.init) ?? step
        seed =
            try state[key("seed")]?.values(as: Int64.self).first.map(UInt64.init(bitPattern:))
            ?? seed
    }

    mutating func step(rate: Double) throws {
        guard let gradient = try parameter.tensor.gradient() else { return }
        var update = WeightUpdate(
            parameter.tensor, gradient: gradient, rate: rate, step: Int(step) + 1)
        update.masterWeights = masterWeights
        update.companion = companion
        update.seed = seed
        try rule.apply(update, to: parts)
        step += 1
    }
}
