internal import Domains
public import Torch

/// Parameters or a state that cannot be used, or an optimizer that is not there.
public struct OptimizerError: Error, Hashable, CustomStringConvertible {
    /// What is wrong.
    public enum Reason: Hashable, Sendable {
        /// Two parameters carry the name.
        case duplicate
        /// The state has no such key.
        case missing
        /// The state has a key that this optimizer does not.
        case unknown
        /// The tensor has another shape.
        case shape(expected: [Int], found: [Int])
        /// The tensor has another type.
        case type(expected: DType, found: DType)
        /// The count of updates is none.
        case noCount(Int)
        /// The gradient holds values that are infinite or NaN.
        case gradientNotFinite
        /// No optimizer has the name; those there are.
        case noOptimizer(known: [String])
    }

    /// The parameter, the key of the state, or the name of an optimizer.
    public var key: String
    /// What is wrong with it.
    public var reason: Reason

    /// Names what is wrong with what.
    public init(key: String, reason: Reason) {
        self.key = key
        self.reason = reason
    }

    public var description: String {
        switch reason {
        case .duplicate: "two parameters are named '\(key)'"
        case .missing: "optimizer state: no '\(key)'; is it that of another run?"
        case .unknown: "optimizer state: no use for '\(key)'; is it that of another run?"
        case .shape(let expected, let found):
            "optimizer state: '\(key)' has shape \(found), expected \(expected)"
        case .type(let expected, let found):
            "optimizer state: '\(key)' has elements of type \(found.name), "
                + "expected \(expected.name)"
        case .noCount(let found):
            "optimizer state: '\(key)' must be \(NumericField.updates.domain), not \(found)"
        case .gradientNotFinite: "the gradient of '\(key)' holds values that are not finite"
        case .noOptimizer(let known):
            "no optimizer '\(key)'; known are \(known.joined(separator: ", "))"
        }
    }
}

extension OptimizerError {
    /// Fails unless a state has the keys of another, with tensors of the same shapes and types.
    static func requireSame(_ state: [String: Tensor], _ known: [String: Tensor]) throws {
        for (key, tensor) in known.sorted(by: { $0.key < $1.key }) {
            guard let found = state[key] else { throw OptimizerError(key: key, reason: .missing) }
            try found.require(tensor.shape, tensor.dtype, key: key)
        }
        if let key = state.keys.filter({ known[$0] == nil }).min() {
            throw OptimizerError(key: key, reason: .unknown)
        }
    }
}

extension OptimizerError {
    /// The count of updates in a tensor of a state; nil where there is none.
    static func count(_ state: [String: Tensor], _ key: String) throws -> Int? {
        guard let found = try state[key]?.values(as: Int64.self).first else { return nil }
        guard NumericField.updates.domain.contains(Int(found)) else {
            throw OptimizerError(key: key, reason: .noCount(Int(found)))
        }
        return Int(found)
    }
}

extension Tensor {
    /// Fails unless this tensor can take the place of one with that shape and type.
    fileprivate func require(_ shape: [Int], _ dtype: DType, key: String) throws {
        guard self.shape == shape else {
            throw OptimizerError(key: key, reason: .shape(expected: shape, found: self.shape))
        }
        guard self.dtype == dtype else {
            throw OptimizerError(key: key, reason: .type(expected: dtype, found: self.dtype))
        }
    }
}
