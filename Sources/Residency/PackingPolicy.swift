public import Torch

/// Which weights of a model are kept in 8 bits, and how.
public struct PackingPolicy: Sendable {
    /// How; nil is as the file has them.
    public var packing: Packing?
    /// Which.
    public var packs: @Sendable (Parameter) -> Bool

    /// All weights stay as the file has them.
    public static let none = PackingPolicy(nil) { _ in false }

    /// Packs some weights of 16 or 32 bits; those that have fewer in the file stay as they are.
    public init(_ packing: Packing?, packs: @escaping @Sendable (Parameter) -> Bool) {
        self.packing = packing
        self.packs = packs
    }

    /// The same, but for layers of these names, or whose names end so behind a dot.
    public func keeping(_ layers: [String]) -> PackingPolicy {
        guard !layers.isEmpty else { return self }
        let packs = packs
        return PackingPolicy(packing) { parameter in
            let layer = parameter.key.split(separator: ".").dropLast().joined(separator: ".")
            return packs(parameter)
                && !layers.contains { layer == $0 || layer.hasSuffix("." + $0) }
        }
    }

    /// How a weight is packed that a file holds; nil where it is not.
    func packing(of parameter: Parameter, in loader: WeightLoader) -> Packing? {
        guard let packing, packs(parameter), packing.fits(parameter.shape),
            let stored = loader.type(parameter)?.dtype, stored.byteCount > 1
        else { return nil }
        return packing
    }
}
