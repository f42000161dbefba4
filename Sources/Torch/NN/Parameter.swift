/// A named weight of a model: the one place where it may be absent, dense, mapped from a file,
/// stored in fewer bits, or carry adapters; the layer around it does not notice.
public final class Parameter {
    /// Where the values are.
    public enum Storage {
        /// Declared, but not loaded.
        case absent
        /// Ready values, in memory or shown from a mapped file, of any floating-point type.
        case dense(Tensor)
        /// Values of few bits; the weight is `values · scale`, a scale per row or a single one.
        case scaled(Tensor, scale: Tensor)
    }

    /// The name in the canonical layout.
    public let key: String
    public let shape: [Int]
    public private(set) var storage = Storage.absent
    /// Low-rank additions that layers apply beside the weight.
    public var adapters: [LowRankAdapter] = []

    init(key: String, shape: [Int]) {
        self.key = key
        self.shape = shape
    }

    /// Gives the parameter its values.
    ///
    /// - Throws: `ParameterError` when the shape is another one.
    public func load(_ values: Tensor, scale: Tensor? = nil) throws {
        guard values.shape == shape else {
            throw ParameterError(
                key: key, reason: .unexpectedShape(expected: shape, found: values.shape))
        }
        storage = scale.map { .scaled(values, scale: $0) } ?? .dense(values)
    }

    public func unload() { storage = .absent }

    /// The values in the type and on the device of `other`, converted on the fly if they are not.
    ///
    /// - Throws: `ParameterError` when nothing is loaded.
    public func value(like other: Tensor) throws -> Tensor {
        switch storage {
        case .absent: throw ParameterError(key: key, reason: .absent)
        case .dense(let values): return try values.to(dtype: other.dtype, device: other.device)
        case .scaled(let values, let scale):
            let weight = try values.to(dtype: other.dtype, device: other.device)
            return try weight * scale.to(dtype: other.dtype, device: other.device)
        }
    }
}

/// A low-rank addition to a weight: `y += scale · (x Aᵀ) Bᵀ`.
///
/// - Shapes: `a` [r, in], `b` [out, r].
public struct LowRankAdapter {
    public var a: Tensor
    public var b: Tensor
    public var scale: Double

    public init(a: Tensor, b: Tensor, scale: Double) {
        self.a = a
        self.b = b
        self.scale = scale
    }

    func callAsFunction(_ x: Tensor) throws -> Tensor {
        let down = try a.to(dtype: x.dtype, device: x.device) * scale
        return try linear(linear(x, down), b.to(dtype: x.dtype, device: x.device))
    }
}

/// A parameter that cannot be used.
public struct ParameterError: Error, Hashable, CustomStringConvertible {
    public enum Reason: Hashable, Sendable {
        case absent
        case unexpectedShape(expected: [Int], found: [Int])
    }

    public var key: String
    public var reason: Reason

    public var description: String {
        switch reason {
        case .absent: "no weight has been loaded for '\(key)'"
        case .unexpectedShape(let expected, let found):
            "'\(key)' has shape \(found), the model needs \(expected)"
        }
    }
}
