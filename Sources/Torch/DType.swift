internal import CTorch

/// The type of a tensor's elements.
public enum DType: Int32, Hashable, Sendable, CaseIterable {
    case uint8 = 0
    case int8 = 1
    case int16 = 2
    case int32 = 3
    case int64 = 4
    case float16 = 5
    case float32 = 6
    case float64 = 7
    case complex64 = 9
    case bool = 11
    case bfloat16 = 15
    case float8e5m2 = 23
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

    public var isFloatingPoint: Bool {
        switch self {
        case .float16, .float32, .float64, .bfloat16, .float8e5m2, .float8e4m3fn: true
        default: false
        }
    }

    var raw: ct_dtype { ct_dtype(rawValue: UInt32(rawValue)) }
}
