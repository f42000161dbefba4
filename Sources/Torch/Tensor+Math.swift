internal import CTorch

extension Tensor {
    typealias Unary = (ct_tensor?, UnsafeMutablePointer<ct_tensor?>?) -> ct_status
    typealias Binary = (ct_tensor?, ct_tensor?, UnsafeMutablePointer<ct_tensor?>?) -> ct_status
    typealias Scalar = (ct_tensor?, Double, UnsafeMutablePointer<ct_tensor?>?) -> ct_status

    func unary(_ function: Unary) throws -> Tensor {
        try withExtendedLifetime(self) { try Tensor.make { function(raw, $0) } }
    }

    func binary(_ other: Tensor, _ function: Binary) throws -> Tensor {
        try withExtendedLifetime((self, other)) {
            try Tensor.make { function(raw, other.raw, $0) }
        }
    }

    func scalar(_ other: Double, _ function: Scalar) throws -> Tensor {
        try withExtendedLifetime(self) { try Tensor.make { function(raw, other, $0) } }
    }

    public static func + (a: Tensor, b: Tensor) throws -> Tensor { try a.binary(b, ct_add) }
    public static func - (a: Tensor, b: Tensor) throws -> Tensor { try a.binary(b, ct_sub) }
    public static func * (a: Tensor, b: Tensor) throws -> Tensor { try a.binary(b, ct_mul) }
    public static func / (a: Tensor, b: Tensor) throws -> Tensor { try a.binary(b, ct_div) }

    public static func + (a: Tensor, b: Double) throws -> Tensor { try a.scalar(b, ct_add_scalar) }
    public static func - (a: Tensor, b: Double) throws -> Tensor { try a.scalar(b, ct_sub_scalar) }
    public static func * (a: Tensor, b: Double) throws -> Tensor { try a.scalar(b, ct_mul_scalar) }
    public static func / (a: Tensor, b: Double) throws -> Tensor { try a.scalar(b, ct_div_scalar) }
    public static func + (a: Double, b: Tensor) throws -> Tensor { try b.scalar(a, ct_add_scalar) }
    public static func - (a: Double, b: Tensor) throws -> Tensor { try b.scalar(a, ct_rsub_scalar) }
    public static func * (a: Double, b: Tensor) throws -> Tensor { try b.scalar(a, ct_mul_scalar) }

    public static prefix func - (a: Tensor) throws -> Tensor { try a.unary(ct_neg) }

    /// This tensor plus the product of two others, rounded once where the processor can.
    public func adding(_ a: Tensor, times b: Tensor) throws -> Tensor {
        try withExtendedLifetime((self, a, b)) {
            try Tensor.make { ct_addcmul(raw, a.raw, b.raw, $0) }
        }
    }

    /// Adds into this tensor's own memory.
    public func addInPlace(_ other: Tensor) throws {
        try withExtendedLifetime((self, other)) { try check(ct_add_(raw, other.raw)) }
    }

    /// Multiplies into this tensor's own memory.
    public func multiplyInPlace(_ other: Tensor) throws {
        try withExtendedLifetime((self, other)) { try check(ct_mul_(raw, other.raw)) }
    }

    public func equal(to value: Double) throws -> Tensor { try scalar(value, ct_eq_scalar) }
    public func less(than other: Tensor) throws -> Tensor { try binary(other, ct_lt) }
    public func lessOrEqual(to other: Tensor) throws -> Tensor { try binary(other, ct_le) }
    public func greater(than value: Double) throws -> Tensor { try scalar(value, ct_gt_scalar) }
    public func and(_ other: Tensor) throws -> Tensor { try binary(other, ct_logical_and) }
    public func not() throws -> Tensor { try unary(ct_logical_not) }

    public func exp() throws -> Tensor { try unary(ct_exp) }
    public func log() throws -> Tensor { try unary(ct_log) }
    public func sqrt() throws -> Tensor { try unary(ct_sqrt) }
    public func rsqrt() throws -> Tensor { try unary(ct_rsqrt) }
    public func sin() throws -> Tensor { try unary(ct_sin) }
    public func cos() throws -> Tensor { try unary(ct_cos) }
    public func abs() throws -> Tensor { try unary(ct_abs) }
    public func square() throws -> Tensor { try unary(ct_square) }
    public func round() throws -> Tensor { try unary(ct_round) }
    public func isFinite() throws -> Tensor { try unary(ct_isfinite) }

    public func power(_ exponent: Double) throws -> Tensor { try scalar(exponent, ct_pow_scalar) }

    /// `base` to the power of every element.
    public static func power(_ base: Double, _ exponent: Tensor) throws -> Tensor {
        try withExtendedLifetime(exponent) { try make { ct_scalar_pow(base, exponent.raw, $0) } }
    }

    public func clamped(to range: ClosedRange<Double>) throws -> Tensor {
        try withExtendedLifetime(self) {
            try Tensor.make { ct_clamp(raw, range.lowerBound, range.upperBound, $0) }
        }
    }

    public func matmul(_ other: Tensor) throws -> Tensor { try binary(other, ct_matmul) }

    public func softmax(along axis: Int) throws -> Tensor {
        try withExtendedLifetime(self) { try Tensor.make { ct_softmax(raw, Int64(axis), $0) } }
    }

    /// Elements of `a` where the condition holds, else of `b`.
    public static func choosing(_ condition: Tensor, _ a: Tensor, _ b: Tensor) throws -> Tensor {
        try withExtendedLifetime((condition, a, b)) {
            try make { ct_where(condition.raw, a.raw, b.raw, $0) }
        }
    }

    /// Whether shapes and all values are equal.
    public func isEqual(to other: Tensor) throws -> Bool {
        try withExtendedLifetime((self, other)) {
            var result = false
            try check(ct_equal(raw, other.raw, &result))
            return result
        }
    }
}
