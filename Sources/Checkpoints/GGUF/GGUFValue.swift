/// The types that metadata can have, by the number that files have for them.
public enum GGUFValueType: UInt32, Hashable, Sendable {
    /// An unsigned integer of 8 bits.
    case uint8 = 0
    /// A signed integer of 8 bits.
    case int8 = 1
    /// An unsigned integer of 16 bits.
    case uint16 = 2
    /// A signed integer of 16 bits.
    case int16 = 3
    /// An unsigned integer of 32 bits.
    case uint32 = 4
    /// A signed integer of 32 bits.
    case int32 = 5
    /// An unsigned integer of 64 bits.
    case uint64 = 10
    /// A signed integer of 64 bits.
    case int64 = 11
    /// An IEEE value of 32 bits.
    case float32 = 6
    /// An IEEE value of 64 bits.
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
