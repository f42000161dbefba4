internal import CTorch

/// How low-bit weights are stored in blocks, each with scales of its own, as GGUF files have
/// them.
///
/// Formats of 256 values scale parts of a block by small integers, which have a common scale. The
/// numbers are those of GGUF.
public enum GGUFBlockType: UInt32, Hashable, Sendable, CaseIterable {
    /// 32 integers of 4 bits and a scale.
    case q4_0 = 2
    /// 32 8-bit integers and a scale.
    case q8_0 = 8
    /// 256 integers of 4 bits; scales and minima of 6 bits for each 32.
    case q4_K = 12
    /// 256 integers of 5 bits; scales and minima of 6 bits for each 32.
    case q5_K = 13
    /// 256 integers of 6 bits; scales of 8 bits for each 16.
    case q6_K = 14

    /// The name as GGUF spells it.
    public var name: String { "\(self)".uppercased() }

    /// The values that a block holds.
    public var valuesPerBlock: Int {
        switch self {
        case .q4_0, .q8_0: 32
        case .q4_K, .q5_K, .q6_K: 256
        }
    }

    /// The bytes that a block takes up.
    public var bytesPerBlock: Int {
        switch self {
        case .q4_0: 18
        case .q8_0: 34
        case .q4_K: 144
        case .q5_K: 176
        case .q6_K: 210
        }
    }

    fileprivate var raw: ct_gguf_block_type { ct_gguf_block_type(rawValue: rawValue) }
}

extension Tensor {
    /// Writes the values of quantized rows into a tensor of `float32`, `bfloat16` or `float16` on the
    /// same device, rounded to the nearest, ties to even.
    ///
    /// The receiver holds bytes, `[rows, bytes of a row]`, whole blocks in each row. In `float32`
    /// values are those of the Python package `gguf` bit for bit.
    ///
    /// - Throws: `TorchError` where shapes, types or devices do not fit or rows are not contiguous.
    public func dequantizeBlocks(_ format: GGUFBlockType, into values: Tensor) throws {
        try withExtendedLifetime((self, values)) {
            try check(ct_dequantize_blocks(raw, format.raw, values.raw))
        }
    }

    /// The same by tensor operations, as other devices than the CPU do it; for tests.
    package func dequantizeBlocksByOperations(_ format: GGUFBlockType, into values: Tensor) throws {
        try withExtendedLifetime((self, values)) {
            try check(ct_dequantize_blocks_by_operations(raw, format.raw, values.raw))
        }
    }

    /// The values of quantized rows in a new tensor; see ``dequantizeBlocks(_:into:)``.
    public func dequantizedBlocks(_ format: GGUFBlockType, dtype: DType) throws -> Tensor {
        let width = rank == 2 ? size(1) / format.bytesPerBlock * format.valuesPerBlock : 0
        let values = try Tensor.empty(
            [rank > 0 ? size(0) : 0, width], dtype: dtype, device: device)
        try dequantizeBlocks(format, into: values)
        return values
    }
}
