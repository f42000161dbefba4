/// A named weight of a model: the one place where it may be absent, dense, mapped from a file,
/// stored in fewer bits, or carry adapters; the layer around it does not notice.
public final class Parameter {
    /// Where the values are.
    public enum Storage {
        /// Declared, but not loaded.
        case absent
        /// Here to stay, in memory or shown from a mapped file.
        case loaded(StoredWeight)
        /// Brought by somebody each time they are used.
        case streamed(any WeightProvider)
    }

    /// The name in the canonical layout.
    public let key: String
    /// What values have to have; see ``load(_:)-(StoredWeight)``.
    public let shape: [Int]
    /// Where the values are now.
    public private(set) var storage = Storage.absent
    private var fusion: Fusion?
    /// Changes that layers apply beside the weight.
    public var adapters: [Adapter] = []

    /// Changes that are folded into the values, and the values without them.
    private struct Fusion {
        struct Part: Equatable {
            var adapter: ObjectIdentifier
            var strength: Double
        }

        var parts: [Part]
        /// Kept alive, so that identities stay theirs.
        var adapters: [Adapter]
        var base: Storage
    }

    init(key: String, shape: [Int]) {
        self.key = key
        self.shape = shape
    }

    /// Gives the parameter its values.
    ///
    /// - Throws: `ParameterError` when the shape is another one.
    public func load(_ weight: StoredWeight) throws {
        guard weight.shape == shape else {
            throw ParameterError(
                key: key, reason: .unexpectedShape(expected: shape, found: weight.shape))
        }
        storage = .loaded(weight)
        fusion = nil
    }

    /// Gives the parameter ready values.
    ///
    /// - Throws: `ParameterError` when the shape is another one.
    public func load(_ values: Tensor) throws { try load(.dense(values)) }

    /// Has somebody else load the values whenever they are used.
    public func load(from provider: any WeightProvider) {
        storage = .streamed(provider)
        fusion = nil
    }

    /// Lets go of the values, folded changes included; adapters stay.
    public func unload() {
        storage = .absent
        fusion = nil
    }

    /// Folds changes into the values; without any, the values are again what they were.
    ///
    /// - Parameter dtype: the type that is computed in and that changed values have.
    public func fuse(_ adapters: [Adapter], dtype: DType) throws {
        let wanted = adapters.map {
            Fusion.Part(adapter: ObjectIdentifier($0), strength: $0.strength)
        }
        guard wanted != fusion?.parts ?? [] else { return }
        if let fusion { storage = fusion.base }
        fusion = nil
        guard !adapters.isEmpty else { return }
        let base = storage
        let weight = try value(like: .empty([0], dtype: dtype, device: device))
        storage = .loaded(.dense(try adapters.reduce(weight) { try $1.merged(into: $0) }))
        fusion = Fusion(parts: wanted, adapters: adapters, base: base)
    }

    private var device: Device {
        if case .loaded(let weight) = storage { return weight.tensors[0].device }
        return .cpu
    }

    /// Takes values that follow from what the model has seen, not from gradients; memory that training
    /// has given the parameter stays the same.
    public func assignBuffer(_ values: Tensor) throws {
        guard case .loaded(.dense(let own)) = storage, own.requiresGradient else {
            return try load(values)
        }
        try own.assign(values)
    }

    /// Whether the values are there for good as they are computed with, and not made or loaded for
    /// each use.
    func isResident(like other: Tensor) -> Bool {
        guard case .loaded(.dense(let values)) = storage else { return false }
        return values.requiresGradient
            || values.dtype == other.dtype && values.device == other.device
    }

    /// Whether the values are trained.
    var requiresGradient: Bool {
        guard case .loaded(.dense(let values)) = storage else { return false }
        return values.requiresGradient
    }

    /// The values as they are kept; whoever supplies them may have to load them first.
    ///
    /// - Throws: `ParameterError` when nothing is loaded; what the supply throws.
    public func stored() throws -> StoredWeight {
        switch storage {
        case .absent: throw ParameterError(key: key, reason: .absent)
        case .loaded(let weight): weight
        case .streamed(let provider): try provider.weight(of: self)
        }
    }

    /// The values in the type and on the device of `other`, converted on the fly if they are not.
    ///
    /// They are good until the next weight is asked for: converted ones are then overwritten once
    /// nobody holds them, supplied ones may be.
    ///
    /// - Throws: `ParameterError` when nothing is loaded; what the supply throws.
    public func value(like other: Tensor) throws -> Tensor {
        try stored().value(dtype: other.dtype, device: other.device)
    }
}

/// Provides the values of weights that are streamed while the model computes.
public protocol WeightProvider: AnyObject {
    /// The values of a parameter, good until a parameter of another group is asked for.
    func weight(of parameter: Parameter) throws -> StoredWeight
}

/// A parameter that cannot be used.
public struct ParameterError: Error, Hashable, CustomStringConvertible {
    /// What is wrong with the parameter.
    public enum Reason: Hashable, Sendable {
        /// It was declared, and no values were loaded.
        case absent
        /// The values have another shape than was declared.
        case unexpectedShape(expected: [Int], found: [Int])
    }

    /// The name in the canonical layout.
    public var key: String
    /// What is wrong with it.
    public var reason: Reason

    /// Names a parameter and what is wrong with it.
    public init(key: String, reason: Reason) {
        self.key = key
        self.reason = reason
    }

    public var description: String {
        switch reason {
        case .absent: "no weight has been loaded for '\(key)'"
        case .unexpectedShape(let expected, let found):
            "'\(key)' has shape \(found), the model needs \(expected)"
        }
    }
}
