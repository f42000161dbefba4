package import Offloading
public import Torch

/// How the weights of a component are kept in memory.
public enum WeightStorage: Hashable, Sendable {
    /// As its file has them.
    case asStored
    /// Matrices in 8 bits; norms, embeddings, modulation and what comes in and goes out as stored,
    /// which are few and matter much.
    case matrices(QuantizationFormat)
    /// All weights in 8-bit floats without scales, as DiffSynth-Studio keeps them.
    case float8

    /// All names but those with a width of their own.
    public static let names =
        ["stored"] + QuantizationFormat.all.map(\.name)

    /// The name: `stored`, `float8` for ``float8``, or that of a quantization format.
    public var name: String {
        switch self {
        case .asStored: "stored"
        case .float8: "float8"
        case .matrices(let format): format.name
        }
    }

    /// Reads a ``name``.
    public init?(name: String) {
        switch name {
        case "stored": self = .asStored
        case "float8": self = .float8
        default:
            guard let format = QuantizationFormat(name: name) else { return nil }
            self = .matrices(format)
        }
    }

    /// Matrices in 8 bits, in the way that computes fastest: integers times integers where this
    /// thread's kernels do that, else as ``Torch/QuantizationFormat/int8Rows``.
    public static func int8(on device: Device, computingIn dtype: DType) -> WeightStorage {
        let multiplies = QuantizedTensor.areMultipliedAsIntegers(on: device, in: dtype)
        return .matrices(multiplies ? .int8Rotated : .int8Rows)
    }

    /// Which weights are quantized, and how.
    package var policy: QuantizationPolicy {
        switch self {
        case .asStored: .none
        case .matrices(let format):
            QuantizationPolicy(format, quantizes: WeightStorage.isBlockMatrix)
        case .float8: QuantizationPolicy(.float8) { _ in true }
        }
    }

    /// Whether a weight is a matrix of a block, of which there are many.
    @Sendable static func isBlockMatrix(_ parameter: Parameter) -> Bool {
        let blocks = ["transformer_blocks.", "single_transformer_blocks.", "layers."]
        return parameter.shape.count == 2 && blocks.contains { parameter.key.hasPrefix($0) }
    }
}
