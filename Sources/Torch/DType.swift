internal import CTorch

/// The type of a tensor's elements.
public enum DType: Int32, Hashable, Sendable, CaseIterable {
    /// 0 to 255.
    case uint8 = 0
    /// -128 to 127.
    case int8 = 1
    /// Integers of 2 bytes with a sign.
    case int16 = 2
    /// Integers of 4 bytes with a sign.
    case int32 = 3
    /// Integers of 8 bytes with a sign; the type of indices.
    case int64 = 4
    /// IEEE half precision: 11 bits of precision, at most 65504.
    case float16 = 5
    /// IEEE single precision: 24 bits of precision.
    case float32 = 6
    /// IEEE double precision: 53 bits of precision.
    case float64 = 7
    /// Complex numbers of two `float32`.
    case complex64 = 9
    /// Truth values, a byte each.
    case bool = 11
    /// The upper half of `float32`: its range with 8 bits of precision.
    case bfloat16 = 15
    /// 8 bits with 5 of exponent and 2 of fraction, at most 57344.
    case float8e5m2 = 23
    /// 8 bits with 4 of exponent and 3 of fraction, at most 448 and without infinities.
    case float8e4m3fn = 24

    /// The name used by PyTorch, without its prefix.
    public var name: String {
        switch self {
        case .float8e5m2: "float8_e5m2"
        case .float8e4m3fn: "float8_e4m3fn"
        default: "\(self)"
        }
    }

    /// Finds a type by its PyTorch name or a usual short form: `bf16`, `fp16`, `fp32`, `fp8`.
    public init?(name: String) {
        switch name.lowercased().replacing("torch.", with: "") {
        case "bf16": self = .bfloat16
        case "fp16", "half", "f16": self = .float16
        case "fp32", "float", "f32": self = .float32
        case "fp8", "float8": self = .float8e4m3fn
        case let other:
            guard let found = Self.allCases.first(where: { $0.name == other }) else { return nil }
            self = found
        }
    }

    /// The size of one element, in bytes.
    public var byteCount: Int {
        switch self {
        case .uint8, .int8, .bool, .float8e5m2, .float8e4m3fn: 1
        case .int16, .float16, .bfloat16: 2
        case .int32, .float32: 4
        case .int64, .float64, .complex64: 8
        }
    }

    /// Whether elements are real numbers; complex ones do not count.
    public var isFloatingPoint: Bool {
        switch self {
        case .float16, .float32, .float64, .bfloat16, .float8e5m2, .float8e4m3fn: true
        default: false
        }
    }

    var raw: ct_dtype { ct_dtype(rawValue: UInt32(rawValue)) }
}
