internal import CTorch

extension ProcessGroup {
    /// Replaces tensors by their sums over all processes.
    public func sum(_ tensors: [Tensor]) throws {
        try change(tensors) { flat in try perform("all-reduce") { ct_group_sum($0, flat.raw) } }
    }

    /// Replaces tensors by their means over all processes.
    ///
    /// As in PyTorch's data parallelism, values are multiplied by 1/size in their own type before
    /// they are added, which keeps small types from overflowing.
    public func mean(_ tensors: [Tensor]) throws {
        try change(tensors) { flat in
            try scale(flat)
            try perform("all-reduce") { ct_group_sum($0, flat.raw) }
        }
    }

    /// Replaces tensors by their means over all processes, in one of them only.
    ///
    /// In the others their values are undefined afterwards.
    public func mean(_ tensors: [Tensor], to root: Int) throws {
        try change(tensors) { flat in
            try scale(flat)
            try perform("reduce") { ct_group_sum_to($0, flat.raw, Int32(root)) }
        }
    }

    /// Replaces tensors by those of one process.
    public func broadcast(_ tensors: [Tensor], from root: Int = 0) throws {
        try change(tensors) { flat in
            let bytes = try Self.portable(flat)
            try withExtendedLifetime(bytes) {
                try perform("broadcast") { ct_group_broadcast($0, bytes.raw, Int32(root)) }
            }
        }
    }

    /// A tensor of each process, in their order; all have the same type and shape.
    public func gather(_ tensor: Tensor) throws -> [Tensor] {
        guard raw != nil else { return [tensor] }
        return try withoutGradients {
            let own = try Self.portable(tensor.detached().contiguous()).flat()
            let all = try Tensor.empty([size * own.count], dtype: own.dtype, device: own.device)
            try withExtendedLifetime((own, all)) {
                try perform("all-gather") { ct_group_gather($0, own.raw, all.raw) }
            }
            return try (0..<size).map { rank in
                let part = try all.slice(rank * own.count..<(rank + 1) * own.count, along: 0)
                return try Self.original(part, like: tensor)
            }
        }
    }

    /// The numbers of each process, in their order; all give equally many.
    public func gather(values: [Double]) throws -> [[Double]] {
        try gather(Tensor.from(values)).map { try $0.values() }
    }

    /// The sum over all processes of this process's part of a tensor.
    ///
    /// - Parameter tensor: its first axis is a multiple of `size`; rank r gets the r-th of the
    ///   equal parts along it.
    public func scatterSum(_ tensor: Tensor) throws -> Tensor {
        precondition(tensor.size(0) % size == 0, "\(tensor) in \(size) equal parts")
        guard raw != nil else { return try tensor.detached().copy() }
        return try withoutGradients {
            let all = try tensor.detached().contiguous().flat()
            let part = try Tensor.empty(
                [all.count / size], dtype: all.dtype, device: all.device)
            try withExtendedLifetime((all, part)) {
                try perform("reduce-scatter") { ct_group_scatter_sum($0, all.raw, part.raw) }
            }
            return try part.reshaped([tensor.size(0) / size] + tensor.shape.dropFirst())
        }
    }

    private func change(_ tensors: [Tensor], _ body: (Tensor) throws -> Void) throws {
        guard raw != nil else { return }
        for bucket in Bucket.filled(with: tensors) {
            try bucket.change { flat in try withExtendedLifetime(flat) { try body(flat) } }
        }
    }

    private func scale(_ tensor: Tensor) throws {
        let factor = try Tensor.full([], 1 / Double(size))
        try withExtendedLifetime((tensor, factor)) { try check(ct_mul_(tensor.raw, factor.raw)) }
    }

    /// The same bytes as numbers that can be sent: not every way knows the rarer types.
    static func portable(_ tensor: Tensor) throws -> Tensor {
        switch tensor.dtype {
        case .bool, .float8e4m3fn, .float8e5m2: try tensor.bitcast(to: .uint8)
        case .int16: try tensor.bitcast(to: .float16)
        case .complex64: try tensor.viewedAsReal()
        default: tensor
        }
    }
    /// What `portable` made numbers of.
    private static func original(_ bytes: Tensor, like tensor: Tensor) throws -> Tensor {
        guard tensor.dtype != .complex64 else {
            return try bytes.reshaped(tensor.shape + [2]).viewedAsComplex()
        }
        return try bytes.bitcast(to: tensor.dtype).reshaped(tensor.shape)
    }
}

extension Tensor {
    /// A contiguous tensor as a single row, without copying.
    fileprivate func flat() throws -> Tensor { try reshaped([count]) }
}
