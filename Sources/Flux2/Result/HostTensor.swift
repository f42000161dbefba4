internal import Offloading
public import Checkpoints
internal import Torch

/// The values of a tensor, free of the engine.
public struct HostTensor: Hashable, Sendable {
    /// The type of the elements, as safetensors files have it.
    public var type: ElementType
    /// Lengths of the axes, outermost first.
    public var shape: [Int]
    /// In row-major order.
    public var bytes: [UInt8]

    init(_ tensor: Tensor) throws {
        let host = try tensor.to(device: .cpu).contiguous()
        guard let type = ElementType(host.dtype) else {
            preconditionFailure("\(host) has no place in a file")
        }
        self.type = type
        shape = host.shape
        bytes = try host.withBytes { Array($0) }
    }

    /// - Parameter bytes: all elements in row-major order, low byte first.
    public init(type: ElementType, shape: [Int], bytes: [UInt8]) {
        self.type = type
        self.shape = shape
        self.bytes = bytes
    }

    /// A tensor of a file.
    public init(_ info: TensorInfo, of file: SafetensorsFile) {
        type = info.type
        shape = info.shape
        bytes = Array(file.bytes(of: info))
    }

    /// The tensor on the CPU.
    ///
    /// - Throws: `RequestError` for a type that numbers are not computed in, and for another number of
    ///   bytes than the shape's.
    func tensor(for setting: String) throws -> Tensor {
        let dtype = try elementType(for: setting)
        guard let count = Self.count(shape), count * dtype.byteCount == bytes.count else {
            throw RequestError(
                setting: setting, expected: "as many values as its shape \(shape)",
                found: "\(bytes.count) bytes")
        }
        return try bytes.withUnsafeBytes {
            try Tensor.from(bytes: $0, shape: shape, dtype: dtype)
        }
    }

    /// The type of the elements, which is one of floating-point numbers.
    func elementType(for setting: String) throws -> DType {
        guard let dtype = type.dtype, dtype.isFloatingPoint else {
            throw RequestError(
                setting: setting, expected: "of a floating-point type", found: type.rawValue)
        }
        return dtype
    }

    /// Elements of a shape; nil where they are past counting.
    private static func count(_ shape: [Int]) -> Int? {
        shape.reduce(1) { product, length in
            guard let product, (0...1 << 50).contains(length) else { return nil }
            let (next, overflows) = product.multipliedReportingOverflow(by: length)
            return overflows || next > 1 << 50 ? nil : next
        }
    }
}
