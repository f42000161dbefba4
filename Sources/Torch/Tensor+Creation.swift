internal import CTorch

extension Tensor {
    /// A tensor of undefined values.
    public static func empty(
        _ shape: [Int], dtype: DType = .float32, device: Device = .cpu
    ) throws -> Tensor {
        try shape.withInt64 { sizes, rank in
            try make { ct_empty(sizes, rank, dtype.raw, device.raw, $0) }
        }
    }

    /// A tensor of one repeated value.
    public static func full(
        _ shape: [Int], _ value: Double, dtype: DType = .float32, device: Device = .cpu
    ) throws -> Tensor {
        try shape.withInt64 { sizes, rank in
            try make { ct_full(sizes, rank, value, dtype.raw, device.raw, $0) }
        }
    }

    /// A tensor of zeros.
    public static func zeros(
        _ shape: [Int], dtype: DType = .float32, device: Device = .cpu
    ) throws -> Tensor {
        try full(shape, 0, dtype: dtype, device: device)
    }

    /// A tensor of ones.
    public static func ones(
        _ shape: [Int], dtype: DType = .float32, device: Device = .cpu
    ) throws -> Tensor {
        try full(shape, 1, dtype: dtype, device: device)
    }

    /// The numbers from `start` up to but without `end`.
    public static func arange(
        _ start: Double = 0, to end: Double, by step: Double = 1, dtype: DType = .float32,
        device: Device = .cpu
    ) throws -> Tensor {
        try make { ct_arange(start, end, step, dtype.raw, device.raw, $0) }
    }

    /// `count` numbers from `start` to `end`, both included.
    public static func linspace(
        _ start: Double, _ end: Double, count: Int, dtype: DType = .float32
    ) throws -> Tensor {
        try make { ct_linspace(start, end, Int64(count), dtype.raw, Device.cpu.raw, $0) }
    }

    /// Normal random numbers, as PyTorch's `randn` draws them.
    public static func randn(
        _ shape: [Int], generator: Generator, dtype: DType = .float32
    ) throws -> Tensor {
        try withExtendedLifetime(generator) {
            try shape.withInt64 { sizes, rank in
                try make {
                    ct_randn(sizes, rank, generator.raw, dtype.raw, generator.device.raw, $0)
                }
            }
        }
    }

    /// Uniform random numbers in [0, 1).
    public static func rand(
        _ shape: [Int], generator: Generator, dtype: DType = .float32
    ) throws -> Tensor {
        try withExtendedLifetime(generator) {
            try shape.withInt64 { sizes, rank in
                try make {
                    ct_rand(sizes, rank, generator.raw, dtype.raw, generator.device.raw, $0)
                }
            }
        }
    }

    /// Random integers of type int64 in `range`.
    public static func randint(
        _ range: Range<Int>, _ shape: [Int], generator: Generator
    ) throws -> Tensor {
        try withExtendedLifetime(generator) {
            try shape.withInt64 { sizes, rank in
                try make {
                    ct_randint(
                        Int64(range.lowerBound), Int64(range.upperBound), sizes, rank,
                        generator.raw, generator.device.raw, $0)
                }
            }
        }
    }

    /// Normal random numbers for every place of another tensor, drawn in the order in which those
    /// lie in memory, as PyTorch's `randn_like` does.
    public static func randn(like other: Tensor, generator: Generator) throws -> Tensor {
        try withExtendedLifetime((other, generator)) {
            try make { ct_randn_like(other.raw, generator.raw, $0) }
        }
    }

    /// The numbers from 0 on in a random order, as PyTorch's `randperm` has them.
    ///
    /// - Shapes: → [count] of int64.
    public static func randperm(_ count: Int, generator: Generator) throws -> Tensor {
        try withExtendedLifetime(generator) {
            try make { ct_randperm(Int64(count), generator.raw, $0) }
        }
    }
}
