/// The types that metadata can have, by the number that files have for them.
public enum GGUFValueType: UInt32, Hashable, Sendable {
    /// Integers of 8 to 64 bits, from 0 or in two's complement.
    case uint8 = 0
    case int8 = 1
    case uint16 = 2
    case int16 = 3
    case uint32 = 4
    case int32 = 5
    case uint64 = 10
    case int64 = 11
    /// IEEE's floating-point values.
    case float32 = 6
    case float64 = 12
    /// A byte that is 0 or 1.
    case bool = 7
    /// UTF-8 after its length.
    case string = 8
    /// Values of one type after their number.
    case array = 9

    /// Bytes of a value; nil where it is its own matter.
    var byteCount: Int? {
        switch self {
        case .uint8, .int8, .bool: 1
        case .uint16, .int16: 2
        case .uint32, .int32, .float32: 4
        case .uint64, .int64, .float64: 8
        case .string, .array: nil
        }
    }

    /// The fewest bytes that a value can have.
    var leastByteCount: Int {
        switch self {
        case .string: 8
        case .array: 12
        default: byteCount ?? 1
        }
    }
}

/// A value of a file's metadata.
public enum GGUFValue: Hashable, Sendable {
    /// An integer of any type.
    case integer(Int)
    /// An integer that is past what `Int` holds.
    case large(UInt64)
    /// A floating-point number of any type.
    case number(Double)
    /// A truth value.
    case boolean(Bool)
    /// A text.
    case string(String)
    /// Values that were passed over; ``GGUFFile/strings(_:)``, ``GGUFFile/integers(_:)`` and
    /// ``GGUFFile/numbers(_:)`` read them.
    ///
    /// - Parameter range: their bytes, counted from the start of the file.
    case array(of: GGUFValueType, count: Int, range: Range<Int>)
}
