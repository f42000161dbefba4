internal import CTorch

/// A Swift number type that is laid out like a tensor's elements.
public protocol TensorElement: BitwiseCopyable, Sendable {
    /// The elements that values of this type become.
    static var dtype: DType { get }
}

extension Float: TensorElement {
    public static var dtype: DType { .float32 }
}
extension Double: TensorElement {
    public static var dtype: DType { .float64 }
}
extension Int64: TensorElement {
    public static var dtype: DType { .int64 }
}
extension Int32: TensorElement {
    public static var dtype: DType { .int32 }
}
extension UInt8: TensorElement {
    public static var dtype: DType { .uint8 }
}
extension Bool: TensorElement {
    public static var dtype: DType { .bool }
}

extension Tensor {
    /// Copies values into a new tensor on the CPU.
    public static func from<Element: TensorElement>(
        _ values: [Element], shape: [Int]? = nil
    ) throws -> Tensor {
        try values.withUnsafeBytes { bytes in
            try from(bytes: bytes, shape: shape ?? [values.count], dtype: Element.dtype)
        }
    }

    /// Copies bytes into a new tensor on the CPU.
    public static func from(
        bytes: UnsafeRawBufferPointer, shape: [Int], dtype: DType
    ) throws -> Tensor {
        let tensor = try empty(shape, dtype: dtype)
        precondition(
            bytes.count == tensor.byteCount, "\(bytes.count) bytes for \(shape) of \(dtype.name)")
        if let base = bytes.baseAddress, bytes.count > 0 {
            try tensor.address().copyMemory(from: base, byteCount: bytes.count)
        }
        return tensor
    }

    /// Shows memory that somebody else owns, without copying it.
    ///
    /// - Parameter owner: kept alive as long as any tensor shows the memory. The memory may be
    ///   read-only; nothing may write through the tensor.
    public static func view(
        of bytes: UnsafeRawBufferPointer, shape: [Int], dtype: DType, owner: AnyObject
    ) throws -> Tensor {
        guard let base = bytes.baseAddress, bytes.count > 0 else {
            return try empty(shape, dtype: dtype)
        }
        let context = Unmanaged.passRetained(owner).toOpaque()
        do {
            return try shape.withInt64 { sizes, rank in
                try make {
                    ct_from_memory(
                        base, sizes, rank, dtype.raw,
                        { context in
                            if let context { Unmanaged<AnyObject>.fromOpaque(context).release() }
                        }, context, $0)
                }
            }
        } catch {
            Unmanaged<AnyObject>.fromOpaque(context).release()
            throw error
        }
    }

    /// The values in row-major order, converted to `Element`'s type if they have another one.
    public func values<Element: TensorElement>(as type: Element.Type = Element.self) throws
        -> [Element]
    {
        let host = try to(dtype: Element.dtype, device: .cpu).contiguous()
        return try host.withBytes { bytes in
            [Element](unsafeUninitializedCapacity: host.count) { buffer, count in
                if !bytes.isEmpty { UnsafeMutableRawBufferPointer(buffer).copyMemory(from: bytes) }
                count = host.count
            }
        }
    }

    /// Lends the bytes of a contiguous tensor on the CPU.
    public func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) throws -> R {
        precondition(device.kind == .cpu && isContiguous, "bytes of \(self), which is not on hand")
        // An empty tensor may have no memory at all.
        guard count > 0 else { return try body(UnsafeRawBufferPointer(start: nil, count: 0)) }
        return try withExtendedLifetime(self) {
            try body(UnsafeRawBufferPointer(start: address(), count: byteCount))
        }
    }

    /// The single value of a tensor with one element.
    public func item() throws -> Double {
        try withExtendedLifetime(self) {
            var value = 0.0
            try check(ct_item(raw, &value))
            return value
        }
    }
}
