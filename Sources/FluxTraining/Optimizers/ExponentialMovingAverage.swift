public import Torch

/// Averages of parameters over the last updates, which often make better images than the
/// parameters themselves.
public final class ExponentialMovingAverage {
    /// What is averaged.
    public let parameters: [TrainableParameter]
    /// What of an average stays in an update.
    public let decay: Double
    /// Whether the first updates count for more: of update n, from 0, `(1 + n) / (10 + n)` of an
    /// average stays at most.
    public let warmsUp: Bool
    /// The updates so far.
    public private(set) var updates = 0
    /// Whether parameters hold the averages now.
    public var isSwappedIn: Bool { aside != nil }
    private let averages: [Tensor]
    private var aside: [Tensor]?

    /// Begins with the parameters' values, in `float32`.
    public init(of parameters: [TrainableParameter], decay: Double, warmsUp: Bool = true) throws {
        self.parameters = parameters
        self.decay = decay
        self.warmsUp = warmsUp
        averages = try withoutGradients {
            try parameters.map { parameter in
                try parameter.tensor.detached().to(dtype: .float32).copy()
            }
        }
    }

    /// The size of the averages, in bytes.
    public var stateByteCount: Int { averages.reduce(0) { $0 + $1.byteCount } }

    /// Takes in the parameters' values after an update.
    public func update() throws {
        precondition(!isSwappedIn, "an average of averages")
        let kept = warmsUp ? min(decay, Double(1 + updates) / Double(10 + updates)) : decay
        for (parameter, average) in zip(parameters, averages) {
            try average.lerpInPlace(to: parameter.tensor, by: 1 - kept)
        }
        updates += 1
    }

    /// Gives parameters the averages, rounded to their types, or back what they had before, exactly.
    ///
    /// In between, the parameters' own values take memory beside the averages.
    public func swap() throws {
        try withoutGradients {
            if let values = aside {
                try assign(values)
                aside = nil
            } else {
                aside = try parameters.map { try $0.tensor.detached().copy() }
                try assign(averages)
            }
        }
    }

    /// Runs `body` while the parameters hold the averages.
    public func withAverages<R>(_ body: () throws -> R) throws -> R {
        try swap()
        let result = Result { try body() }
        try swap()
        return try result.get()
    }

    private func assign(_ values: [Tensor]) throws {
        for (parameter, value) in zip(parameters, values) { try parameter.tensor.assign(value) }
    }

    /// What later updates depend on: the averages as `<parameter>.ema`, and `ema_updates`.
    ///
    /// The next update changes these tensors; they are written, or copied, before it.
    public func state() throws -> [String: Tensor] {
        var state = [Self.updatesKey: try Tensor.from([Int64(updates)], shape: [])]
        for (parameter, average) in zip(parameters, averages) {
            state[Self.key(parameter)] = average
        }
        return state
    }

    private static let updatesKey = "ema_updates"
    private static func key(_ parameter: TrainableParameter) -> String { parameter.name + ".ema" }

    /// Goes on where the averages stood that gave this state.
    ///
    /// - Throws: `OptimizerError` for a key that is missing, unknown, or of another shape or type;
    ///   nothing has changed then.
    public func restore(_ state: [String: Tensor]) throws {
        let known = try self.state()
        try OptimizerError.requireSame(state, known)
        for (key, average) in known where key != Self.updatesKey {
            if let found = state[key] { try average.assign(found) }
        }
        updates = try OptimizerError.count(state, Self.updatesKey) ?? 0
    }
}
