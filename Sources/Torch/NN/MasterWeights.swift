internal import CTorch

/// What keeps the small part of an update that a `bfloat16` weight has no room for.
///
/// With 8 bits of precision a weight stays as it is where an update is below a 256th of it or so,
/// however often it comes. Types of more precision need none of it and are updated as they are.
public enum MasterWeights: String, Hashable, Sendable, CaseIterable {
    /// Nothing: updates are rounded to the nearest, and small ones lost.
    case none
    /// A `float32` copy of the weight is updated; the weight is that copy, rounded.
    case float32
    /// Updates are rounded up or down with chances that make the mean exact. Needs no memory.
    case stochastic
    /// What was rounded off stays in a `bfloat16` tensor and is part of the next update.
    case kahan

    /// Reads a name, or `fp32`; nil for any other word.
    public init?(name: String) {
        self.init(rawValue: name == "fp32" ? "float32" : name)
    }

    /// The type of the tensor kept beside a weight, if one is.
    public var companionType: DType? {
        switch self {
        case .none, .stochastic: nil
        case .float32: .float32
        case .kahan: .bfloat16
        }
    }

    var raw: ct_master {
        switch self {
        case .none: CT_MASTER_NONE
        case .float32: CT_MASTER_FLOAT32
        case .stochastic: CT_MASTER_STOCHASTIC
        case .kahan: CT_MASTER_KAHAN
        }
    }
}

extension Tensor {
    /// Writes this `float32` tensor to a `bfloat16` one of its shape, each value to one of its two
    /// neighbors, to the nearer one more often, so that the mean is exact.
    ///
    /// Equal seeds round alike, on every device.
    public func roundStochastically(into target: Tensor, seed: UInt64) throws {
        try withExtendedLifetime((self, target)) {
            try check(ct_round_stochastically(raw, target.raw, seed, false))
        }
    }

    /// The same by tensor operations, as other devices than the CPU do it; for tests.
    package func roundStochasticallyByOperations(into target: Tensor, seed: UInt64) throws {
        try withExtendedLifetime((self, target)) {
            try check(ct_round_stochastically(raw, target.raw, seed, true))
        }
    }
}
