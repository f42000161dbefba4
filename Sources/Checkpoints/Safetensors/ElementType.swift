/// The type of a tensor's elements, as files spell it.
public enum ElementType: String, CaseIterable, Hashable, Sendable {
    /// Floating-point values: IEEE's of 64, 32 and 16 bits, and the upper half of 32.
    case F64, F32, F16, BF16
    /// Floating-point 8-bit values with 4 or 5 bits of exponent.
    case F8_E4M3, F8_E5M2
    /// Integers in two's complement.
    case I64, I32, I16, I8
    /// Integers from 0.
    case U64, U32, U16, U8
    /// Truth values, a byte each.
    case BOOL

    /// Bytes of one element.
    public var byteCount: Int {
        switch self {
        case .F64, .I64, .U64: 8
        case .F32, .I32, .U32: 4
        case .F16, .BF16, .I16, .U16: 2
        case .F8_E4M3, .F8_E5M2, .I8, .U8, .BOOL: 1
        }
    }

    /// The bytes that a tensor of this shape takes up; nil where they are past counting.
    func byteCount(of shape: [Int]) -> Int? {
        var total = byteCount
        for length in shape {
            let (product, overflows) = total.multipliedReportingOverflow(by: length)
            guard length >= 0, !overflows else { return nil }
            total = product
        }
        return total
    }
}
