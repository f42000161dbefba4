public import Torch

/// Which weights of a model are kept in 8 bits, and how.
public struct QuantizationPolicy: Sendable {
    /// How; nil is as the file has them.
    public var format: QuantizationFormat?
    /// Which.
    public var quantizes: @Sendable (Parameter) -> Bool

    /// All weights stay as the file has them.
    public static let none = QuantizationPolicy(nil) { _ in false }

    /// Packs some weights of 16 or 32 bits; those that have fewer in the file stay as they are.
    public init(_ format: QuantizationFormat?, quantizes: @escaping @Sendable (Parameter) -> Bool) {
        self.format = format
        self.quantizes = quantizes
    }

    /// The same, but for layers of these names, or whose names end so behind a dot.
    public func keeping(_ layers: [String]) -> QuantizationPolicy {
        guard !layers.isEmpty else { return self }
        let quantizes = quantizes
        return QuantizationPolicy(format) { parameter in
            let layer = parameter.key.split(separator: ".").dropLast().joined(separator: ".")
            return quantizes(parameter)
                && !layers.contains { layer == $0 || layer.hasSuffix("." + $0) }
        }
    }

    /// How a weight is quantized that a file holds; nil where it is not.
    func format(of parameter: Parameter, in loader: WeightLoader) -> QuantizationFormat? {
        guard let format, quantizes(parameter), format.fits(parameter.shape),
            let stored = loader.type(parameter)?.dtype, stored.byteCount > 1
        else { return nil }
        return format
    }
}
