public import Torch

/// An optimizer that updates each parameter by itself, by a rule.
///
/// ```swift
/// let optimizer = try ParameterOptimizer(AdamW(), of: parameters, masters: .stochastic)
/// try loss.backward()
/// try optimizer.step(rate: 1e-5)
/// try optimizer.zeroGradients()
/// ```
public final class ParameterOptimizer: Optimizer {
    public let parameters: [TrainableParameter]
    /// How parameters are changed.
    public let rule: any UpdateRule
    /// How small changes of `bfloat16` parameters are kept.
    public let masterWeights: MasterWeights
    private var slots: [ParameterState]

    /// Takes memory for all that is kept.
    ///
    /// - Parameters:
    ///   - rule: `AdamW`, `Adam`, `SGD`, `Adam8bit`, `Adafactor`, `Muon`, or another.
    ///   - parameters: with their values: a `float32` copy is one of these.
    ///   - masterWeights: how small changes of `bfloat16` parameters are kept; others need nothing.
    ///   - seed: where the random numbers of `stochastic` begin, and those by which `stochastic`
    ///     and `kahan` round moments.
    /// - Throws: `OptimizerError` where two parameters have one name; `TorchError` where memory is
    ///   short.
    public init(
        _ rule: any UpdateRule, of parameters: [TrainableParameter],
        masterWeights: MasterWeights = .none, seed: UInt64 = 0
    ) throws {
        self.parameters = parameters
        self.rule = rule
        self.masterWeights = masterWeights
        try Self.requireDistinct(parameters)
        slots = try withoutGradients {
            try parameters.enumerated().map { index, parameter in
                // Far apart, so that parameters do not share random numbers.
                let seed = seed &+ UInt64(index + 1) &* 0xD1B5_4A32_D192_ED03
                return try ParameterState(
                    parameter, rule: rule, masterWeights: masterWeights, seed: seed)
            }
        }
    }

    private static func requireDistinct(_ parameters: [TrainableParameter]) throws {
        var names = Set<String>()
        for parameter in parameters where !names.insert(parameter.name).inserted {
            throw OptimizerError(key: parameter.name, reason: .duplicate)
        }
    }

    public var stateByteCount: Int {
        slots.reduce(0) { $0 + $1.tensors.reduce(0) { $0 + $1.tensor.byteCount } }
    }

    public func step(rate: Double) throws {
        for index in slots.indices { try slots[index].step(rate: rate) }
    }

    public func state() throws -> [String: Tensor] {
        var state: [String: Tensor] = [:]
        for slot in slots { try state.merge(slot.state()) { first, _ in first } }
        return state
    }

    public func restore(_ state: [String: Tensor]) throws {
        try OptimizerError.requireSame(state, self.state())
        for index in slots.indices { try slots[index].restore(state) }
    }
}
