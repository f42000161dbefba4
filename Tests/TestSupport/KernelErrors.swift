import FluxModels
public import Torch

/// Gives parameters random numbers that keep activations alive: matrices by the root of what goes in,
/// norms 1, everything else 0; all of them numbers of `bfloat16`, kept in float32.
public func loadRandomNumbers(_ parameters: [Parameter], seed: UInt64) throws {
    let generator = try Generator(seed: seed)
    for parameter in parameters {
        let shape = parameter.shape
        var values = try Tensor.zeros(shape)
        if shape.count > 1 {
            let scale = 1 / Double(shape.dropFirst().reduce(1, *)).squareRoot()
            values = try .randn(shape, generator: generator) * scale
        } else if parameter.key.hasSuffix("weight") || parameter.key.hasSuffix("var") {
            values = try values + 1
        }
        try parameter.load(values.to(dtype: .bfloat16).to(dtype: .float32))
    }
}

/// Of kernels that multiply pixels as they are, of the best ones, and of libtorch.
public typealias KernelErrors = (direct: Double, best: Double, libtorch: Double)

/// Relative errors of a computation in `bfloat16` against the same in float32: by kernels that multiply
/// pixels as they are, by the best ones, and by libtorch.
public func kernelErrors(_ body: (DType) throws -> Tensor) throws -> KernelErrors {
    try withoutGradients {
        let exact = try body(.float32)
        func error(_ set: KernelSet) throws -> Double {
            let found = try KernelSet.limited(to: set) { try body(.bfloat16) }
            let difference = try (found.to(dtype: .float32) - exact).square().sum().item()
            return try (difference / exact.square().sum().item()).squareRoot()
        }
        return try (error(.direct), error(.best), error(.reference))
    }
}
