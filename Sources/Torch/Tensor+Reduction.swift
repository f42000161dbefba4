internal import CTorch

extension Tensor {
    private typealias Reduction = (
        ct_tensor?, UnsafePointer<Int64>?, Int, Bool, UnsafeMutablePointer<ct_tensor?>?
    ) -> ct_status

    private func reduce(_ axes: [Int]?, _ keep: Bool, _ function: Reduction) throws -> Tensor {
        try withExtendedLifetime(self) {
            guard let axes else { return try Tensor.make { function(raw, nil, 0, keep, $0) } }
            return try axes.withInt64 { axes, count in
                try Tensor.make { function(raw, axes, count, keep, $0) }
            }
        }
    }

    /// The sum over some axes, or over all of them.
    public func sum(along axes: [Int]? = nil, keepingAxes: Bool = false) throws -> Tensor {
        try reduce(axes, keepingAxes, ct_sum)
    }

    /// The mean over some axes, or over all of them.
    public func mean(along axes: [Int]? = nil, keepingAxes: Bool = false) throws -> Tensor {
        try reduce(axes, keepingAxes, ct_mean)
    }

    /// The largest value over some axes, or over all of them.
    public func maximum(along axes: [Int] = [], keepingAxes: Bool = false) throws -> Tensor {
        try reduce(axes, keepingAxes, ct_amax)
    }

    /// The smallest value over some axes, or over all of them.
    public func minimum(along axes: [Int] = [], keepingAxes: Bool = false) throws -> Tensor {
        try reduce(axes, keepingAxes, ct_amin)
    }

    /// Whether every element is nonzero.
    public func allTrue() throws -> Bool { try unary(ct_all).item() != 0 }
}
