public import Checkpoints
public import Torch

extension ElementType {
    /// The tensor type of the same elements; nil for those libtorch is not asked for.
    public var dtype: DType? {
        switch self {
        case .F64: .float64
        case .F32: .float32
        case .F16: .float16
        case .BF16: .bfloat16
        case .F8_E4M3: .float8e4m3fn
        case .F8_E5M2: .float8e5m2
        case .I64: .int64
        case .I32: .int32
        case .I16: .int16
        case .I8: .int8
        case .U8: .uint8
        case .BOOL: .bool
        default: nil
        }
    }

    /// The type that a file gives to a tensor's elements; nil when the format has none.
    public init?(_ dtype: DType) {
        guard let found = Self.allCases.first(where: { $0.dtype == dtype }) else { return nil }
        self = found
    }
}

extension Tensor {
    /// Shows a tensor of a mapped file without copying it; the file stays mapped as long as any
    /// view lives.
    ///
    /// - Throws: `WeightError` for an element type that tensors do not have.
    public static func mapped(_ info: TensorInfo, of file: SafetensorsFile) throws -> Tensor {
        try mapped(
            WeightInfo(
                name: info.name, type: .plain(info.type), shape: info.shape,
                range: file.range(of: info)), of: file)
    }

    /// Shows the values of a mapped file's weight that are stored one by one.
    ///
    /// - Throws: `WeightError` for an element type that tensors do not have, and for blocks.
    public static func mapped(_ info: WeightInfo, of file: any WeightFile) throws -> Tensor {
        guard let dtype = info.type.dtype else {
            throw WeightError(
                file: file.path, key: info.name, reason: .unsupportedType(info.type.name))
        }
        return try shown(file.bytes(of: info), shape: info.shape, dtype: dtype, owner: file)
    }

    /// - Parameter shape: one of as many elements as there are bytes for.
    static func shown(
        _ bytes: UnsafeRawBufferPointer, shape: [Int], dtype: DType, owner: AnyObject
    ) throws -> Tensor {
        // The format asks for no alignment; what lies askew is copied.
        guard let base = bytes.baseAddress, Int(bitPattern: base) % dtype.byteCount == 0 else {
            return try .from(bytes: bytes, shape: shape, dtype: dtype)
        }
        return try .view(of: bytes, shape: shape, dtype: dtype, owner: owner)
    }
}

extension StoredWeight {
    /// Shows a weight of a mapped file as it is stored, without copying it.
    ///
    /// - Throws: `WeightError` for an element type that tensors do not have.
    public static func mapped(
        _ info: WeightInfo, of file: any WeightFile
    ) throws -> StoredWeight {
        guard case .blocks(let format) = info.type else {
            return .dense(try .mapped(info, of: file))
        }
        // What has no rows is short, and nobody stores it in blocks.
        let rows = info.shape.count > 1 ? info.shape[0] : 1
        let width = rows > 0 ? info.byteCount / rows : 0
        let bytes = try Tensor.shown(
            file.bytes(of: info), shape: [rows, width], dtype: .uint8, owner: file)
        guard info.shape.count > 1 else {
            return .dense(
                try bytes.dequantizedBlocks(format, dtype: .float32).reshaped(info.shape))
        }
        return .blocks(GGUFBlocks(bytes, format: format, shape: info.shape))
    }
}
