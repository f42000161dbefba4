internal import CTorch

/// What matrix products, convolutions and attention take: operations by the type of the values that are
/// multiplied, and bytes of operands and results.
///
/// Convolutions by fewer products count those that are computed. Backward passes are not counted.
public struct OperationCounts: Hashable, Sendable, Codable {
    /// Operations on 8-bit integers, two for a multiplication.
    public var int8 = 0
    /// Operations on `bfloat16` and `float16`.
    public var float16 = 0
    /// Operations on all other values.
    public var others = 0
    /// Bytes of weights, of what they are multiplied with, and of what that gives, each time.
    public var bytes = 0

    /// None.
    public init() {}

    /// Operations of all kinds.
    public var operations: Int { int8 + float16 + others }

    /// What this process has computed so far, on all threads and devices.
    public static var counted: OperationCounts {
        let raw = ct_counted_operations()
        var work = OperationCounts()
        work.int8 = Int(raw.int8)
        work.float16 = Int(raw.float16)
        work.others = Int(raw.others)
        work.bytes = Int(raw.bytes)
        return work
    }

    /// What is in one and not in the other.
    public static func - (a: OperationCounts, b: OperationCounts) -> OperationCounts {
        var result = a
        result.int8 -= b.int8
        result.float16 -= b.float16
        result.others -= b.others
        result.bytes -= b.bytes
        return result
    }

    /// A part of what is done several times.
    public static func / (a: OperationCounts, count: Int) -> OperationCounts {
        var result = a
        result.int8 /= count
        result.float16 /= count
        result.others /= count
        result.bytes /= count
        return result
    }
}
