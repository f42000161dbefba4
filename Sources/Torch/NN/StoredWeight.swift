internal import CTorch

/// The values of a weight as they lie in memory or in a file.
public enum StoredWeight {
    /// Ready values of any floating-point type.
    case dense(Tensor)
    /// 8-bit values with their scales.
    case quantized(QuantizedTensor)
    /// Low-bit values in blocks.
    case blocks(GGUFBlocks)

    /// The shape that the layer knows.
    public var shape: [Int] {
        switch self {
        case .dense(let values): values.shape
        case .quantized(let quantized): quantized.values.shape
        case .blocks(let blocks): blocks.shape
        }
    }

    /// Everything that has to be moved to move the weight, in a fixed order.
    public var tensors: [Tensor] {
        switch self {
        case .dense(let values): [values]
        case .quantized(let quantized): [quantized.values] + [quantized.scale].compactMap(\.self)
        case .blocks(let blocks): [blocks.bytes]
        }
    }

    /// The same weight made of other tensors, which are those of ``tensors`` somewhere else, or as
    /// many rows of them.
    public func replacing(_ tensors: [Tensor]) -> StoredWeight {
        precondition(tensors.count == self.tensors.count, "another number of tensors")
        switch self {
        case .dense: return .dense(tensors[0])
        case .quantized(let quantized):
            return .quantized(
                QuantizedTensor(
                    tensors[0], scale: tensors.count > 1 ? tensors[1] : nil,
                    isRotated: quantized.isRotated))
        case .blocks(let blocks): return .blocks(blocks.replacing(tensors[0]))
        }
    }

    /// The size of all tensors, in bytes.
    public var byteCount: Int { tensors.reduce(0) { $0 + $1.byteCount } }

    /// Whether layers can use it as it is when they compute in a type.
    public func isReady(for dtype: DType) -> Bool {
        if case .dense(let values) = self { return values.dtype == dtype }
        return false
    }

    /// The values in a type and on a device; converted ones lie in memory that is used again as
    /// soon as nobody holds them any more.
    public func value(dtype: DType, device: Device) throws -> Tensor {
        let stored = try replacing(tensors.map { try $0.to(device: device) })
        switch stored {
        case .dense(let values) where values.dtype == dtype: return values
        // What is trained in another type gets its gradients through the conversion.
        case .dense(let values) where values.requiresGradient:
            return try values.to(dtype: dtype)
        case .dense(let values):
            let result = try Tensor.scratch(values.shape, dtype: dtype, device: device)
            try QuantizedTensor(values).dequantize(into: result)
            return result
        case .quantized(let quantized):
            let result = try Tensor.scratch(quantized.values.shape, dtype: dtype, device: device)
            try quantized.dequantize(into: result)
            return result
        case .blocks(let blocks):
            let result = try Tensor.scratch(blocks.shape, dtype: dtype, device: device)
            try blocks.dequantize(into: result)
            return result
        }
    }

    /// Some of the rows, one after the other.
    public func rows(_ ranges: [Range<Int>]) throws -> StoredWeight {
        try rearranged { x in
            let parts = try ranges.map { try x.slice($0, along: 0) }
            return parts.count == 1 ? parts[0] : try .concatenating(parts, along: 0)
        }
    }

    /// The weight with its rows in other places, or without some.
    ///
    /// - Parameter body: does it to the values and to what else has a row for each of theirs.
    func rearranged(_ body: (Tensor) throws -> Tensor) throws -> StoredWeight {
        switch self {
        case .dense(let values): return .dense(try body(values))
        case .quantized(let quantized):
            // A scale of its own for each row goes with the row.
            let perRow = quantized.scale.map {
                $0.rank == 2 && $0.size(0) == quantized.values.size(0)
            }
            return .quantized(
                QuantizedTensor(
                    try body(quantized.values),
                    scale: perRow == true ? try quantized.scale.map(body) : quantized.scale,
                    isRotated: quantized.isRotated))
        case .blocks(let blocks): return .blocks(blocks.replacing(try body(blocks.bytes)))
        }
    }
}

/// 8-bit values, `float8` or `int8`, and what they are multiplied with.
public struct QuantizedTensor {
    /// The values, of the weight's shape.
    public let values: Tensor
    /// Of `float32`: [] for all values, [rows, 1], or [rows, groups] of equal width; nil is 1.
    public let scale: Tensor?
    /// Whether rows were rotated before they became values: blocks of neighbors times a Hadamard
    /// matrix over the root of its width, as wide as the largest power of two up to 256 that divides a row.
    public let isRotated: Bool

    /// Puts values and scales together.
    ///
    /// - Parameter isRotated: only for `int8` with a scale for each row.
    public init(_ values: Tensor, scale: Tensor? = nil, isRotated: Bool = false) {
        self.values = values
        self.scale = scale
        self.isRotated = isRotated
    }

    /// Writes `values · scale`, rotated back where they are rotated; in float32, and rounded once.
    ///
    /// - Parameter target: of the weight's shape, on the same device.
    public func dequantize(into target: Tensor) throws {
        if values.dtype.byteCount > 1 { return try target.assign(values) }
        try withExtendedLifetime((values, scale, target)) {
            try check(ct_dequantize8(values.raw, scale?.raw, isRotated, target.raw))
        }
    }
}

extension Tensor {
    /// Memory that is lent for a short while: the same each time, unless it is still in use.
    static func scratch(_ shape: [Int], dtype: DType, device: Device) throws -> Tensor {
        try shape.withInt64 { sizes, rank in
            try make { ct_scratch(sizes, rank, dtype.raw, device.raw, $0) }
        }
    }

    /// Makes memory for conversions of this thread, so that it need not grow from one to the next.
    public static func reserveScratch(_ byteCount: Int, device: Device) throws {
        _ = try scratch([byteCount], dtype: .uint8, device: device)
    }

    /// Gives back the memory that conversions of this thread have used.
    public static func releaseScratch() { ct_release_scratch() }
}
