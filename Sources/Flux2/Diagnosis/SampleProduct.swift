package import Torch

/// A product of matrices of a block's shape, by which rates of a machine are told.
package struct SampleProduct {
    package let x: Tensor
    private let weight: Tensor
    /// Floating-point operations of one product.
    package let operations: Double
    /// Its size, in words.
    package let size: String

    /// - Parameter rows: tokens.
    package init(
        rows: Int = 1536, width: Int = 3072, dtype: DType = .bfloat16, device: Device = .cpu
    ) throws {
        let generator = try Generator(seed: 1)
        func matrix(_ rows: Int) throws -> Tensor {
            try .randn([rows, width], generator: generator).to(dtype: dtype, device: device)
        }
        x = try matrix(rows)
        weight = try matrix(width)
        operations = 2 * Double(rows * width * width)
        size = "\(rows)x\(width) by \(width)x\(width)"
    }

    package func callAsFunction() throws -> Tensor { try linear(x, weight) }
}

extension Tensor {
    /// Waits for all work on its device: a value is asked for.
    package func wait() throws {
        _ = try reshaped([-1]).slice(0..<1, along: 0).sum().item()
    }
}
