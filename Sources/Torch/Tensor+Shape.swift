internal import CTorch

extension Tensor {
    /// The values in another shape; one size may be -1.
    public func reshaped(_ shape: [Int]) throws -> Tensor {
        try withExtendedLifetime(self) {
            try shape.withInt64 { sizes, rank in
                try Tensor.make { ct_reshape(raw, sizes, rank, $0) }
            }
        }
    }

    /// The axes in another order, without copying; `axes` names each old one once.
    public func permuted(_ axes: [Int]) throws -> Tensor {
        try withExtendedLifetime(self) {
            try axes.withInt64 { axes, rank in
                try Tensor.make { ct_permute(raw, axes, rank, $0) }
            }
        }
    }

    /// Repeats axes of size 1 without copying.
    public func expanded(_ shape: [Int]) throws -> Tensor {
        try withExtendedLifetime(self) {
            try shape.withInt64 { sizes, rank in
                try Tensor.make { ct_expand(raw, sizes, rank, $0) }
            }
        }
    }

    /// Two axes exchanged, without copying; negative ones count from the end.
    public func transposed(_ a: Int, _ b: Int) throws -> Tensor {
        try withExtendedLifetime(self) {
            try Tensor.make { ct_transpose(raw, Int64(a), Int64(b), $0) }
        }
    }

    /// A new axis of size 1 at this place, without copying; -1 is behind the last.
    public func unsqueezed(_ axis: Int) throws -> Tensor {
        try withExtendedLifetime(self) { try Tensor.make { ct_unsqueeze(raw, Int64(axis), $0) } }
    }

    /// Without this axis if its size is 1, else as it is; nothing is copied.
    public func squeezed(_ axis: Int) throws -> Tensor {
        try withExtendedLifetime(self) { try Tensor.make { ct_squeeze(raw, Int64(axis), $0) } }
    }

    /// One entry along an axis, which disappears.
    public func selecting(_ index: Int, along axis: Int) throws -> Tensor {
        try withExtendedLifetime(self) {
            try Tensor.make { ct_select(raw, Int64(axis), Int64(index), $0) }
        }
    }

    /// A run of entries along an axis, without copying.
    public func slice(_ range: Range<Int>, along axis: Int, by step: Int = 1) throws -> Tensor {
        try withExtendedLifetime(self) {
            try Tensor.make {
                ct_slice(
                    raw, Int64(axis), Int64(range.lowerBound), Int64(range.upperBound),
                    Int64(step), $0)
            }
        }
    }

    /// Consecutive views of the given sizes along an axis.
    public func split(_ sizes: [Int], along axis: Int) throws -> [Tensor] {
        var start = 0
        return try sizes.map { size in
            defer { start += size }
            return try slice(start..<start + size, along: axis)
        }
    }

    /// Equal consecutive views along an axis.
    public func chunks(_ count: Int, along axis: Int) throws -> [Tensor] {
        let size = self.size(axis)
        precondition(size % count == 0, "\(count) equal parts of \(shape) along axis \(axis)")
        return try split(Array(repeating: size / count, count: count), along: axis)
    }

    /// The first and the second half along an axis.
    public func halves(along axis: Int) throws -> (Tensor, Tensor) {
        let parts = try chunks(2, along: axis)
        return (parts[0], parts[1])
    }

    /// Entries picked by an int64 or int32 tensor of indices.
    public func gathering(_ indices: Tensor, along axis: Int) throws -> Tensor {
        try withExtendedLifetime((self, indices)) {
            try Tensor.make { ct_index_select(raw, Int64(axis), indices.raw, $0) }
        }
    }

    /// The parts one behind the other along an axis; their other sizes are equal.
    public static func concatenating(_ parts: [Tensor], along axis: Int) throws -> Tensor {
        try parts.withHandles { handles, count in
            try make { ct_cat(handles, count, Int64(axis), $0) }
        }
    }

    /// The parts along a new axis; their shapes are equal.
    public static func stacking(_ parts: [Tensor], along axis: Int) throws -> Tensor {
        try parts.withHandles { handles, count in
            try make { ct_stack(handles, count, Int64(axis), $0) }
        }
    }

    /// Adds a border; `widths` are before and after of the last axis, then of the one before it.
    public func padded(_ widths: [Int], value: Double = 0) throws -> Tensor {
        try withExtendedLifetime(self) {
            try widths.withInt64 { widths, count in
                try Tensor.make { ct_pad_constant(raw, widths, count, value, $0) }
            }
        }
    }

    /// Adds a border that mirrors the values without repeating the edge.
    public func paddedByReflection(_ widths: [Int]) throws -> Tensor {
        try withExtendedLifetime(self) {
            try widths.withInt64 { widths, count in
                try Tensor.make { ct_pad_reflect(raw, widths, count, $0) }
            }
        }
    }

    /// Keeps what lies on or under a diagonal of the last two axes.
    public func lowerTriangle(diagonal: Int = 0) throws -> Tensor {
        try withExtendedLifetime(self) {
            try Tensor.make { ct_tril(raw, Int64(diagonal), $0) }
        }
    }

    /// Pairs along the last axis, of size 2, as complex numbers.
    public func viewedAsComplex() throws -> Tensor { try unary(ct_view_as_complex) }

    /// Complex numbers as pairs along a new last axis of size 2.
    public func viewedAsReal() throws -> Tensor { try unary(ct_view_as_real) }
}
