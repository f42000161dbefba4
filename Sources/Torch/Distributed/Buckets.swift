/// Tensors that travel together: small ones side by side in one, since each operation takes its time
/// however little it carries.
struct Bucket {
    /// Tensors smaller than this share a bucket, which is not larger.
    static let limit = 25 << 20

    private(set) var tensors: [Tensor] = []
    private var byteCount = 0

    /// Buckets of one type and place each. All processes make the same ones, as they have the same
    /// tensors; the order within a type stays.
    static func filled(with tensors: [Tensor]) -> [Bucket] {
        var done: [Bucket] = []
        var open: [Kind: Bucket] = [:]
        var kinds: [Kind] = []
        for tensor in tensors where tensor.count > 0 {
            let kind = Kind(dtype: tensor.dtype, device: tensor.device)
            if open[kind] == nil { kinds.append(kind) }
            var bucket = open[kind] ?? Bucket()
            if !bucket.tensors.isEmpty, bucket.byteCount + tensor.byteCount > limit {
                done.append(bucket)
                bucket = Bucket()
            }
            bucket.tensors.append(tensor)
            bucket.byteCount += tensor.byteCount
            open[kind] = bucket
        }
        return done + kinds.compactMap { open[$0] }
    }

    private struct Kind: Hashable {
        var dtype: DType
        var device: Device
    }

    /// Has `body` change all values at once: in place where one tensor is alone and contiguous.
    func change(_ body: (Tensor) throws -> Void) throws {
        if let only = tensors.first, tensors.count == 1, only.isContiguous {
            return try withoutGradients { try body(only.detached()) }
        }
        try withoutGradients {
            let flat = try Tensor.concatenating(
                tensors.map { try $0.detached().reshaped([$0.count]) }, along: 0)
            try body(flat)
            var start = 0
            for tensor in tensors {
                let part = try flat.slice(start..<start + tensor.count, along: 0)
                try tensor.detached().assign(part.reshaped(tensor.shape))
                start += tensor.count
            }
        }
    }
}
