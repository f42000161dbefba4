internal import CFiles

/// Looks through the bytes of a tensor, piece by piece, for values that are not finite.
public struct FiniteCheck {
    private let type: ElementType
    /// The beginning of an element whose end is in the next piece.
    private var rest: [UInt8] = []
    /// Whether all numbers so far are finite; integers always are.
    public private(set) var holds = true

    /// A check of elements of one type.
    public init(_ type: ElementType) { self.type = type }

    /// Looks through the next piece.
    public mutating func add(_ bytes: UnsafeRawBufferPointer) {
        guard holds, let mask = type.exponent else { return }
        guard rest.isEmpty, bytes.count % type.byteCount == 0 else {
            let all = rest + bytes
            let whole = all.count / type.byteCount * type.byteCount
            rest = Array(all[whole...])
            all[..<whole].withUnsafeBytes { look(at: $0, mask) }
            return
        }
        look(at: bytes, mask)
    }

    private mutating func look(at bytes: UnsafeRawBufferPointer, _ mask: UInt64) {
        guard let base = bytes.baseAddress else { return }
        let width = type.byteCount
        if cf_has_mask(base, bytes.count / width, Int32(width), mask) != 0 { holds = false }
    }
}

extension ElementType {
    /// The bits that infinite values and NaN have set, and no others; nil for integers.
    fileprivate var exponent: UInt64? {
        switch self {
        case .F64: 0x7FF0_0000_0000_0000
        case .F32: 0x7F80_0000
        case .F16: 0x7C00
        case .BF16: 0x7F80
        // This type has no infinity, and one magnitude that is NaN.
        case .F8_E4M3: 0x7F
        case .F8_E5M2: 0x7C
        case .I64, .I32, .I16, .I8, .U64, .U32, .U16, .U8, .BOOL: nil
        }
    }
}
