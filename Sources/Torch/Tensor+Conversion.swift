internal import CTorch

extension Tensor {
    /// The tensor in another type or place; itself when nothing changes.
    public func to(dtype: DType? = nil, device: Device? = nil) throws -> Tensor {
        let wanted = (dtype ?? self.dtype, device ?? self.device)
        if wanted.0 == self.dtype && wanted.1 == self.device { return self }
        return try withExtendedLifetime(self) {
            try Tensor.make { ct_to(raw, wanted.0.raw, wanted.1.raw, false, $0) }
        }
    }

    /// The tensor in row-major order; itself when it already is.
    public func contiguous() throws -> Tensor {
        isContiguous ? self : try unary(ct_contiguous)
    }

    /// The tensor of rank 4 with its channels innermost in memory.
    public func channelsLast() throws -> Tensor { try unary(ct_channels_last) }

    /// The same values in private memory.
    public func copy() throws -> Tensor { try unary(ct_clone) }

    /// Overwrites the values with those of `source`.
    public func assign(_ source: Tensor) throws {
        try withExtendedLifetime((self, source)) { try check(ct_copy_(raw, source.raw)) }
    }

    /// The same bytes read as another type.
    public func bitcast(to dtype: DType) throws -> Tensor {
        try withExtendedLifetime(self) { try Tensor.make { ct_view_dtype(raw, dtype.raw, $0) } }
    }
}
