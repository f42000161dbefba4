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
/// Models know only the canonical names, those of diffusers; a layout says for each where its
/// values are in the file, and which of the file's tensors the model has no use for.
public struct Layout: Sendable {
    /// A name for messages: `diffusers`, `BFL`, ….
    public let name: String
    /// Where the values of a canonical name are.
    public let recipe: @Sendable (String) -> WeightRecipe
    /// Whether a tensor of the file is known and not needed.
    public let isSpare: @Sendable (String) -> Bool

    /// Describes a naming; unless told otherwise, no tensor of the file is spare.
    public init(
        name: String, recipe: @escaping @Sendable (String) -> WeightRecipe,
        isSpare: @escaping @Sendable (String) -> Bool = { _ in false }
    ) {
        self.name = name
        self.recipe = recipe
        self.isSpare = isSpare
    }

    /// The same layout with a prefix before every name in the file.
    func prefixed(_ prefix: String) -> Layout {
        guard !prefix.isEmpty else { return self }
        return Layout(
            name: name, recipe: { recipe($0).renamed { prefix + $0 } },
            isSpare: { $0.hasPrefix(prefix) && isSpare(String($0.dropFirst(prefix.count))) })
    }

    /// The shape that a canonical name has according to the file, nil when it is not there.
    func shape(of key: String, in shapes: TensorShapes) -> [Int]? {
        let recipe = recipe(key)
        guard var shape = shapes[recipe.source] else { return nil }
        if case .rows(_, _, let parts) = recipe, let rows = shape.first { shape[0] = rows / parts }
        return shape
    }

    /// How many consecutive indices, from 0, make a name that is in the file.
    func count(in shapes: TensorShapes, _ key: (Int) -> String) -> Int {
        var index = 0
        while shape(of: key(index), in: shapes) != nil { index += 1 }
        return index
    }
}

extension WeightRecipe {
    func renamed(_ rename: (String) -> String) -> WeightRecipe {
        switch self {
        case .tensor(let name): .tensor(rename(name))
        case .rows(let name, let part, let parts): .rows(rename(name), part: part, of: parts)
        case .swappedHalves(let name): .swappedHalves(rename(name))
        case .interleavedHeads(let name, let size):
            .interleavedHeads(rename(name), headSize: size)
        }
    }
}
