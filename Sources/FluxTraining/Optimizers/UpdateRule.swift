public import Torch

/// How one kind of optimizer changes a weight, and what it keeps to do so.
///
/// A rule has settings and no state; ``ParameterOptimizer`` holds the tensors.
public protocol UpdateRule: Sendable {
    /// The tensors kept for a weight, zeros at first.
    ///
    /// - Parameter dtype: the type of what is kept in the weight's precision.
    func parts(forShape shape: [Int], dtype: DType) -> [StateTensor]

    /// The rule for the parameter of a name; unless said otherwise, one rule is for all.
    func suited(to name: String) -> any UpdateRule

    /// Changes the weight and the tensors kept for it.
    ///
    /// - Parameter parts: those that ``parts(forShape:dtype:)`` asked for, by name.
    func apply(_ update: WeightUpdate, to parts: OptimizerState) throws
}

extension UpdateRule {
    public func suited(to name: String) -> any UpdateRule { self }
}

/// A tensor that is kept for a weight.
public struct StateTensor: Hashable, Sendable {
    /// The last part of its name in a state, such as `exp_avg`.
    public var name: String
    /// Its shape.
    public var shape: [Int]
    /// The type of its elements.
    public var dtype: DType

    /// Describes a tensor.
    public init(_ name: String, _ shape: [Int], _ dtype: DType) {
        self.name = name
        self.shape = shape
        self.dtype = dtype
    }
}

/// The tensors kept for a weight, by name.
public struct OptimizerState {
    private(set) var tensors: [(name: String, tensor: Tensor)]

    init(_ parts: [StateTensor], device: Device) throws {
        tensors = try parts.map { part in
            (part.name, try .zeros(part.shape, dtype: part.dtype, device: device))
        }
    }

    /// The tensor of a name that the rule has asked for.
    public subscript(name: String) -> Tensor {
        guard let found = optional(name) else { preconditionFailure("no part '\(name)'") }
        return found
    }

    /// The tensor of this name, if there is one.
    public func optional(_ name: String) -> Tensor? {
        tensors.first { $0.name == name }?.tensor
    }
}
