public import Torch

/// A tensor that training changes, under the name that checkpoints give it.
public struct TrainableParameter {
    /// The name in the canonical layout, such as `proj_out.weight`.
    public let name: String
    /// A leaf that asks for gradients.
    public let tensor: Tensor

    /// Puts a name to a tensor.
    public init(_ name: String, _ tensor: Tensor) {
        self.name = name
        self.tensor = tensor
    }
}
