internal import CTorch

/// An array of numbers on a device, backed by libtorch.
///
/// Gradient mode, current device and current stream belong to a thread in libtorch, so a tensor is
/// not `Sendable`: one thread, or an actor on a `TensorThread`, owns all of them.
public final class Tensor {
    let raw: ct_tensor

    /// Takes over a handle that the C border has just handed out.
    init(adopting raw: ct_tensor) {
        self.raw = raw
    }

    deinit {
        ct_tensor_release(raw)
    }

    /// Runs one call that writes a tensor.
    static func make(
        _ call: (UnsafeMutablePointer<ct_tensor?>) -> ct_status
    ) throws -> Tensor {
        var out: ct_tensor?
        try check(call(&out))
        guard let out else { preconditionFailure("a successful call wrote no tensor") }
        return Tensor(adopting: out)
    }

    /// The sizes of the axes.
    public var shape: [Int] {
        withExtendedLifetime(self) {
            (0..<ct_tensor_rank(raw)).map { Int(ct_tensor_size(raw, $0)) }
        }
    }

    /// The distance between neighbors along each axis, in elements.
    public var strides: [Int] {
        withExtendedLifetime(self) {
            (0..<ct_tensor_rank(raw)).map { Int(ct_tensor_stride(raw, $0)) }
        }
    }

    /// The number of axes.
    public var rank: Int { withExtendedLifetime(self) { Int(ct_tensor_rank(raw)) } }

    /// The number of elements.
    public var count: Int { withExtendedLifetime(self) { Int(ct_tensor_count(raw)) } }

    /// The size of all elements, in bytes; views count what they show, not what they share.
    public var byteCount: Int { count * dtype.byteCount }

    /// The type of the elements.
    public var dtype: DType {
        withExtendedLifetime(self) {
            guard let dtype = DType(rawValue: ct_tensor_dtype(raw)) else {
                preconditionFailure(
                    "libtorch made a tensor of a type that this package never asks for")
            }
            return dtype
        }
    }

    /// Where the elements are.
    public var device: Device { withExtendedLifetime(self) { Device(ct_tensor_device(raw)) } }

    /// Whether elements follow each other in row-major order, without gaps.
    public var isContiguous: Bool { withExtendedLifetime(self) { ct_tensor_is_contiguous(raw) } }

    /// The size of one axis; negative axes count from the end.
    public func size(_ axis: Int) -> Int {
        let rank = self.rank
        let index = axis < 0 ? axis + rank : axis
        precondition((0..<rank).contains(index), "axis \(axis) of a tensor of rank \(rank)")
        return withExtendedLifetime(self) { Int(ct_tensor_size(raw, Int64(index))) }
    }
}

extension Tensor: CustomStringConvertible {
    public var description: String { "Tensor(\(shape), \(dtype.name), \(device))" }
}

extension Array where Element == Int {
    /// Passes sizes or axes to C.
    func withInt64<R>(_ body: (UnsafePointer<Int64>?, Int) throws -> R) rethrows -> R {
        try map(Int64.init).withUnsafeBufferPointer { try body($0.baseAddress, $0.count) }
    }
}

extension Array where Element == Tensor {
    /// Passes handles to C. Swift would release the tensors after their last use, which is before
    /// the call that reads the handles; hence the extended lifetime.
    func withHandles<R>(_ body: (UnsafePointer<ct_tensor?>?, Int) throws -> R) rethrows -> R {
        try withExtendedLifetime(self) {
            let handles: [ct_tensor?] = map { $0.raw }
            return try handles.withUnsafeBufferPointer { try body($0.baseAddress, $0.count) }
        }
    }
}
