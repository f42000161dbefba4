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

    /// Adds element by element; axes of size 1 are repeated to fit, types widened as in PyTorch.
    public static func + (a: Tensor, b: Tensor) throws -> Tensor { try a.binary(b, ct_add) }
    /// Subtracts element by element; shapes and types as with `+`.
    public static func - (a: Tensor, b: Tensor) throws -> Tensor { try a.binary(b, ct_sub) }
    /// Multiplies element by element, not as matrices; shapes and types as with `+`.
    public static func * (a: Tensor, b: Tensor) throws -> Tensor { try a.binary(b, ct_mul) }
    /// Divides element by element; integers give fractions. Shapes and types as with `+`.
    public static func / (a: Tensor, b: Tensor) throws -> Tensor { try a.binary(b, ct_div) }

    /// Adds a number to every element; a floating-point type stays.
    public static func + (a: Tensor, b: Double) throws -> Tensor { try a.scalar(b, ct_add_scalar) }
    /// Subtracts a number from every element; a floating-point type stays.
    public static func - (a: Tensor, b: Double) throws -> Tensor { try a.scalar(b, ct_sub_scalar) }
    /// Multiplies every element with a number; a floating-point type stays.
    public static func * (a: Tensor, b: Double) throws -> Tensor { try a.scalar(b, ct_mul_scalar) }
    /// Divides every element by a number; a floating-point type stays.
    public static func / (a: Tensor, b: Double) throws -> Tensor { try a.scalar(b, ct_div_scalar) }
    /// Adds every element to a number; a floating-point type stays.
    public static func + (a: Double, b: Tensor) throws -> Tensor { try b.scalar(a, ct_add_scalar) }
    /// Subtracts every element from a number; a floating-point type stays.
    public static func - (a: Double, b: Tensor) throws -> Tensor { try b.scalar(a, ct_rsub_scalar) }
    /// Multiplies a number with every element; a floating-point type stays.
    public static func * (a: Double, b: Tensor) throws -> Tensor { try b.scalar(a, ct_mul_scalar) }

    /// Every element with the other sign.
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

    /// True where an element equals the value, as `bool`.
    public func equal(to value: Double) throws -> Tensor { try scalar(value, ct_eq_scalar) }
    /// True where an element is below its counterpart, as `bool`.
    public func less(than other: Tensor) throws -> Tensor { try binary(other, ct_lt) }
    /// True where an element is at most its counterpart, as `bool`.
    public func lessOrEqual(to other: Tensor) throws -> Tensor { try binary(other, ct_le) }
    /// True where an element is above the value, as `bool`.
    public func greater(than value: Double) throws -> Tensor { try scalar(value, ct_gt_scalar) }
    /// True where both elements are nonzero, as `bool`.
    public func and(_ other: Tensor) throws -> Tensor { try binary(other, ct_logical_and) }
    /// True where an element is zero, as `bool`.
    public func not() throws -> Tensor { try unary(ct_logical_not) }

    /// e to the power of every element.
    public func exp() throws -> Tensor { try unary(ct_exp) }
    /// The natural logarithm; NaN below 0.
    public func log() throws -> Tensor { try unary(ct_log) }
    /// The square root; NaN below 0.
    public func sqrt() throws -> Tensor { try unary(ct_sqrt) }
    /// One over the square root.
    public func rsqrt() throws -> Tensor { try unary(ct_rsqrt) }
    /// The sine of angles in radians.
    public func sin() throws -> Tensor { try unary(ct_sin) }
    /// The cosine of angles in radians.
    public func cos() throws -> Tensor { try unary(ct_cos) }
    /// Every element without its sign.
    public func abs() throws -> Tensor { try unary(ct_abs) }
    /// Every element times itself.
    public func square() throws -> Tensor { try unary(ct_square) }
    /// Whole numbers of the same type; halves go to the even neighbor.
    public func round() throws -> Tensor { try unary(ct_round) }
    /// True where an element is neither infinite nor NaN, as `bool`.
    public func isFinite() throws -> Tensor { try unary(ct_isfinite) }

    /// Every element to a power.
    public func power(_ exponent: Double) throws -> Tensor { try scalar(exponent, ct_pow_scalar) }

    /// `base` to the power of every element.
    public static func power(_ base: Double, _ exponent: Tensor) throws -> Tensor {
        try withExtendedLifetime(exponent) { try make { ct_scalar_pow(base, exponent.raw, $0) } }
    }

    /// Every element, or the nearest bound of the range.
    public func clamped(to range: ClosedRange<Double>) throws -> Tensor {
        try withExtendedLifetime(self) {
            try Tensor.make { ct_clamp(raw, range.lowerBound, range.upperBound, $0) }
        }
    }

    /// The product of matrices; axes before the last two are matched as with `+`.
    ///
    /// - Shapes: [..., n, k] and [..., k, m] → [..., n, m].
    public func matmul(_ other: Tensor) throws -> Tensor { try binary(other, ct_matmul) }

    /// Shares that add up to 1 along an axis: `exp(x)` over its sum.
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
