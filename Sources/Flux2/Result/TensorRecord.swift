internal import Residency
public import Safetensors
internal import Torch

/// The values of a tensor, free of the engine.
public struct TensorRecord: Hashable, Sendable {
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
    /// - Throws: `RequestError` for a type that tensors do not have.
    func tensor(for setting: String) throws -> Tensor {
        guard let dtype = type.dtype else {
            throw RequestError(
                setting: setting, expected: "of a floating-point type", found: type.rawValue)
        }
        return try bytes.withUnsafeBytes {
            try Tensor.from(bytes: $0, shape: shape, dtype: dtype)
        }
    }
}
