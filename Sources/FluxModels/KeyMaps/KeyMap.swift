public import Torch

/// The shapes of the tensors of a checkpoint by name.
public typealias TensorShapes = [String: [Int]]

extension Sequence where Element == Parameter {
    /// The shapes of all parameters by their canonical names.
    public var shapes: TensorShapes {
        Dictionary(map { ($0.key, $0.shape) }) { first, _ in first }
    }
}

/// How a checkpoint names the weights of a component.
///
/// Models know only the canonical names, those of diffusers; a key map says for each where its
/// values are in the file, and which of the file's tensors the model has no use for.
public struct KeyMap: Sendable {
    /// A name for messages: `diffusers`, `BFL`, ….
    public let name: String
    /// Where the values of a canonical name are.
    public let transform: @Sendable (String) -> WeightTransform
    /// Whether a tensor of the file is known and not needed.
    public let isIgnorable: @Sendable (String) -> Bool

    /// Describes a naming; unless told otherwise, no tensor of the file is ignorable.
    public init(
        name: String, transform: @escaping @Sendable (String) -> WeightTransform,
        isIgnorable: @escaping @Sendable (String) -> Bool = { _ in false }
    ) {
        self.name = name
        self.transform = transform
        self.isIgnorable = isIgnorable
    }

    /// The same key map with a prefix before every name in the file.
    func prefixed(_ prefix: String) -> KeyMap {
        guard !prefix.isEmpty else { return self }
        return KeyMap(
            name: name, transform: { transform($0).renamed { prefix + $0 } },
            isIgnorable: { $0.hasPrefix(prefix) && isIgnorable(String($0.dropFirst(prefix.count))) }
        )
    }

    /// The shape that a canonical name has according to the file, nil when it is not there.
    func shape(of key: String, in shapes: TensorShapes) -> [Int]? {
        let transform = transform(key)
        guard var shape = shapes[transform.source] else { return nil }
        if case .slice(_, _, let parts) = transform, let rows = shape.first {
            shape[0] = rows / parts
        }
        return shape
    }

    /// How many consecutive indices, from 0, make a name that is in the file.
    func count(in shapes: TensorShapes, _ key: (Int) -> String) -> Int {
        var index = 0
        while shape(of: key(index), in: shapes) != nil { index += 1 }
        return index
    }
}

extension WeightTransform {
    func renamed(_ rename: (String) -> String) -> WeightTransform {
        switch self {
        case .identity(let name): .identity(rename(name))
        case .slice(let name, let part, let parts): .slice(rename(name), part: part, of: parts)
        case .swapHalves(let name): .swapHalves(rename(name))
        case .unpermuteRotary(let name, let size):
            .unpermuteRotary(rename(name), headSize: size)
        }
    }
}
