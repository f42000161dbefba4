public import Safetensors
public import Torch

/// Gives the parameters of a model their values from a checkpoint.
///
/// On the CPU values are shown from the mapped file, not copied; a parameter stored in another type
/// than the model computes in is converted each time it is used.
public struct WeightLoader {
    /// Where the values of a canonical name are in the file.
    public typealias Recipe = (String) -> WeightRecipe

    private let checkpoint: Checkpoint
    private let recipe: Recipe
    private let isSpare: (String) -> Bool

    /// - Parameter isSpare: whether a tensor of the file is known and not needed; any other tensor
    ///   that no parameter takes is an error.
    public init(
        _ checkpoint: Checkpoint, recipe: @escaping Recipe,
        isSpare: @escaping (String) -> Bool = { _ in false }
    ) {
        self.checkpoint = checkpoint
        self.recipe = recipe
        self.isSpare = isSpare
    }

    /// The file, index or folder that values come from.
    public var location: String { checkpoint.location }

    /// Loads all parameters, after it is clear that every one of them can be.
    ///
    /// - Parameters:
    ///   - device: where the values shall be; copied there unless it is the CPU.
    ///   - dtype: the type they are converted to when they are copied.
    /// - Returns: the bytes that the parameters take up in the file.
    /// - Throws: `WeightError` naming the first tensor that is missing, too many or misshapen.
    public func load(
        _ parameters: [Parameter], to device: Device = .cpu, dtype: DType? = nil
    ) throws -> Int {
        let found = try parameters.map { try ($0, source(of: $0, among: parameters)) }
        try refuseUnused(taken: Set(found.map { $0.1.info.name }))
        for (parameter, source) in found {
            try load(parameter, from: source, to: device, dtype: dtype)
        }
        return found.reduce(0) { $0 + $1.0.shape.reduce($1.1.info.type.byteCount, *) }
    }

    /// Looks for values that are not finite; reads all that the parameters take from the file.
    ///
    /// - Throws: `WeightError` naming the first tensor with such values.
    public func requireFinite(_ parameters: [Parameter]) throws {
        for parameter in parameters {
            guard let source = checkpoint[recipe(parameter.key).source] else { continue }
            let stored = try Tensor.mapped(source.info, of: source.file)
            let values = stored.dtype.byteCount == 1 ? try stored.to(dtype: .float32) : stored
            guard try values.isFinite().allTrue() else {
                throw WeightError(
                    file: source.file.path, key: source.info.name, reason: .notFinite)
            }
        }
    }

    /// What the parameters will read, in the order of the files.
    public func pieces(for parameters: [Parameter]) -> [ReadAhead.Piece] {
        parameters.compactMap { checkpoint[recipe($0.key).source] }
            .sorted {
                ($0.file.path, $0.info.range.lowerBound) < ($1.file.path, $1.info.range.lowerBound)
            }
            .map { ReadAhead.Piece(file: $0.file, info: $0.info) }
    }

    private typealias Source = (file: SafetensorsFile, info: TensorInfo)

    private func source(of parameter: Parameter, among all: [Parameter]) throws -> Source {
        let name = recipe(parameter.key).source
        if let found = checkpoint[name] { return found }
        let missing = all.count { checkpoint[recipe($0.key).source] == nil }
        throw WeightError(
            file: checkpoint.location, key: name, reason: .missing(count: missing))
    }

    private func refuseUnused(taken: Set<String>) throws {
        let unused = checkpoint.names.filter { !taken.contains($0) && !isSpare($0) }.sorted()
        guard let first = unused.first else { return }
        throw WeightError(
            file: checkpoint.location, key: first, reason: .unused(count: unused.count))
    }

    private func load(
        _ parameter: Parameter, from source: Source, to device: Device, dtype: DType?
    ) throws {
        let stored = try Tensor.mapped(source.info, of: source.file)
        let values = try recipe(parameter.key)(stored, shape: parameter.shape)
        guard values.shape == parameter.shape else {
            throw WeightError(
                file: source.file.path, key: source.info.name,
                reason: .unexpectedShape(expected: parameter.shape, found: values.shape))
        }
        let placed =
            device.kind == .cpu ? values : try values.to(dtype: dtype, device: device)
        try parameter.load(placed)
    }
}
