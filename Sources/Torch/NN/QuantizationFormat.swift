internal import CTorch

/// A way to keep a weight in 8 bits a value.
public enum QuantizationFormat: Hashable, Sendable {
    /// `float8_e4m3fn` without scales, as a plain conversion rounds; 448 is the largest.
    case float8
    /// `float8_e4m3fn` with one scale, which makes the largest value 448.
    case float8Tensor
    /// `float8_e4m3fn` with a scale for each row.
    case float8Rows
    /// `int8` with a scale for each row, which makes its largest value 127.
    case int8Rows
    /// `int8` with a scale for so many neighbors of a row; all of it, where a row is shorter.
    case int8Groups(Int)
    /// `int8` with a scale for each row, of rows that are rotated first: what is large in a few places
    /// is spread over many, so that the other side of a product can have 8 bits, too. Processors that
    /// multiply integers do that with it; see ``Kernel/int8``.
    case int8Rotated

    /// The ways without a choice of their own; ``int8Groups(_:)`` in groups of 128.
    public static let all: [QuantizationFormat] = [
        .float8, .float8Tensor, .float8Rows, .int8Rows, .int8Groups(128), .int8Rotated,
    ]

    /// The name, such as `float8-row`; groups of another width than 128 name it, `int8-group:64`.
    public var name: String {
        switch self {
        case .float8: "float8"
        case .float8Tensor: "float8-tensor"
        case .float8Rows: "float8-row"
        case .int8Rows: "int8"
        case .int8Groups(128): "int8-group"
        case .int8Groups(let width): "int8-group:\(width)"
        case .int8Rotated: "int8-rotated"
        }
    }

    /// Reads a ``name``, or `int8-row`, which is `int8`; nil for any other word.
    public init?(name: String) {
        if name == "int8-row" {
            self = .int8Rows
            return
        }
        if let found = Self.all.first(where: { $0.name == name }) {
            self = found
            return
        }
        let parts = name.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == "int8-group", let width = Int(parts[1]), width > 0
        else { return nil }
        self = .int8Groups(width)
    }

    /// The type of the values.
    public var dtype: DType {
        switch self {
        case .float8, .float8Tensor, .float8Rows: .float8e4m3fn
        case .int8Rows, .int8Groups, .int8Rotated: .int8
        }
    }

    /// Whether a weight of this shape, [rows, ...], can be quantized: groups have to divide its rows.
    public func fits(_ shape: [Int]) -> Bool {
        let width = shape.dropFirst().reduce(1, *)
        guard let rows = shape.first, rows > 0, width > 0 else { return false }
        return width % max(1, group(of: shape)) == 0
    }

    /// The size of a weight of this shape, scales included, in bytes.
    public func byteCount(of shape: [Int]) -> Int {
        shape.reduce(1, *) + (scaleShape(of: shape)?.reduce(4, *) ?? 0)
    }

    /// The shape of the scales of a weight, [rows, groups] or [] for one; nil without scales.
    public func scaleShape(of shape: [Int]) -> [Int]? {
        let width = shape.dropFirst().reduce(1, *)
        switch group(of: shape) {
        case 0: return nil
        case -1: return []
        case let group: return [shape.first ?? 1, width / max(1, group)]
        }
    }

    /// How many neighbors share a scale: 0 is none, -1 all of the weight.
    fileprivate func group(of shape: [Int]) -> Int {
        let width = shape.dropFirst().reduce(1, *)
        return switch self {
        case .float8: 0
        case .float8Tensor: -1
        case .float8Rows, .int8Rows, .int8Rotated: width
        case .int8Groups(let group): min(group, width)
        }
    }
}

extension QuantizationFormat: Codable {
    /// Reads a ``name``.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let name = try container.decode(String.self)
        guard let found = QuantizationFormat(name: name) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "'\(name)' is no format of 8 bits")
        }
        self = found
    }

    /// Writes the ``name``.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(name)
    }
}

extension QuantizedTensor {
    /// Packs a weight; a scale is the largest magnitude over the largest value, and 1 for zeros.
    ///
    /// Values are `weight / scale` in float32, rounded to the nearest and of two to the even one; of
    /// ``QuantizationFormat/int8Rotated`` those of the rotated weight.
    ///
    /// - Parameter weight: [rows, ...] of `bfloat16`, `float16` or `float32`; ``QuantizationFormat/fits(_:)``
    ///   tells which shapes can be quantized.
    public static func quantizing(_ weight: Tensor, as format: QuantizationFormat) throws
        -> QuantizedTensor
    {
        var (values, scale): (ct_tensor?, ct_tensor?)
        let group = Int64(format.group(of: weight.shape))
        let isRotated = format == .int8Rotated
        try withExtendedLifetime(weight) {
            try check(
                isRotated
                    ? ct_quantize_rotated(weight.raw, &values, &scale)
                    : ct_quantize8(weight.raw, format.dtype.raw, group, &values, &scale))
        }
        guard let values else { preconditionFailure("a successful call wrote no tensor") }
        return QuantizedTensor(
            Tensor(adopting: values), scale: scale.map(Tensor.init(adopting:)),
            isRotated: isRotated)
    }

    /// How far this is from the weight that it was made of.
    public func loss(from weight: Tensor) throws -> QuantizationLoss {
        var sums = [0.0, 0.0]
        try withExtendedLifetime((weight, values, scale)) {
            try check(ct_quantization_loss(weight.raw, values.raw, scale?.raw, isRotated, &sums))
        }
        var error = QuantizationLoss()
        (error.difference, error.weight) = (sums[0], sums[1])
        return error
    }
}

/// What quantization has changed.
public struct QuantizationLoss: Hashable, Sendable {
    /// The sum of the squares of all differences.
    public var difference = 0.0
    /// The sum of the squares of all weights.
    public var weight = 0.0

    /// Nothing changed, of nothing.
    public init() {}

    /// The root mean square of the difference over that of the weights; not finite where
    /// weights are not.
    public var relative: Double {
        difference == 0 ? 0 : (difference / weight).squareRoot()
    }

    /// Both together.
    public static func + (a: QuantizationLoss, b: QuantizationLoss) -> QuantizationLoss {
        var sum = a
        sum.difference += b.difference
        sum.weight += b.weight
        return sum
    }
}
