public import Torch

/// Gives the parameters of a model their values from a checkpoint.
///
/// On the CPU values are shown from the mapped file, not copied; a parameter stored in another type
/// than the model computes in is converted each time it is used.
public struct WeightLoader {
    /// Where the values of a canonical name are in the file.
    public typealias Transform = (String) -> WeightTransform

    /// A tensor and the file that holds it.
    public typealias Place = (file: any WeightFile, info: WeightInfo)

    private let checkpoint: Checkpoint
    private let transform: Transform
    private let isIgnorable: (String) -> Bool

    /// - Parameter isIgnorable: whether a tensor of the file is known and not needed; any other tensor
    ///   that no parameter takes is an error.
    public init(
        _ checkpoint: Checkpoint, transform: @escaping Transform,
        isIgnorable: @escaping (String) -> Bool = { _ in false }
    ) {
        self.checkpoint = checkpoint
        self.transform = transform
        self.isIgnorable = isIgnorable
    }

    /// The file, index or folder that values come from.
    public var location: String { checkpoint.location }

    /// Loads all parameters, after it is clear that every one of them can be.
    ///
    /// - Parameters:
    ///   - device: where the values shall be; copied there unless it is the CPU.
    ///   - dtype: the type they are converted to when they are copied; those of 8 bits with scales
    ///     stay as they are.
    /// - Returns: the bytes that the parameters take up in the file.
    /// - Throws: `WeightError` naming the first tensor that is missing, too many or misshapen.
    public func load(
        _ parameters: [Parameter], to device: Device = .cpu, dtype: DType? = nil
    ) throws -> Int {
        try check(parameters)
        let weights = try stored(parameters)
        for (parameter, weight) in zip(parameters, weights) {
            try parameter.load(weight.placed(on: device, dtype: dtype))
        }
        return weights.reduce(0) { $0 + $1.byteCount }
    }

    /// Looks at what the checkpoint says of the formats of its weights, before shapes are believed:
    /// some formats put two values into a byte.
    ///
    /// - Throws: `WeightError` naming the first weight in a format that is not understood.
    public static func requireKnownFormats(_ checkpoint: Checkpoint) throws {
        try WeightFormat.check(checkpoint)
    }

    /// Looks at what a folder's `config.json`, and files beside it, say of the formats of its weights.
    ///
    /// - Throws: `WeightError` naming file and key of what is not understood.
    public static func requireKnownFormats(in folder: String) throws {
        try QuantizationConfig.check(in: folder)
    }

    /// Looks whether the checkpoint has all that a model needs and nothing that it does not know.
    ///
    /// - Parameter parameters: all of the model.
    /// - Throws: `WeightError` naming the first tensor that is missing or too many, or a format that
    ///   is not understood.
    public func check(_ parameters: [Parameter]) throws {
        try Self.requireKnownFormats(checkpoint)
        let names = parameters.map { transform($0.key).source }
        let missing = names.filter { checkpoint[$0] == nil }
        if let first = missing.first {
            throw WeightError(
                file: checkpoint.location, key: first, reason: .missing(count: missing.count))
        }
        let taken = Set(names)
        try checkpoint.requireScalesHaveWeights()
        let unused = checkpoint.names.filter {
            // What lies beside a weight shares its fate.
            let name = ScaleTensorName.weight(of: $0) ?? $0
            return !taken.contains(name) && !isIgnorable(name) && !ScaleTensorName.isMark(name)
        }.sorted()
        if let first = unused.first {
            throw WeightError(
                file: checkpoint.location, key: first, reason: .unused(count: unused.count))
        }
    }

    /// The values of parameters as they lie in the mapped file, in the order of the parameters; the
    /// parameters themselves stay as they are.
    ///
    /// They are on the CPU and show the file wherever that is possible: what has to be put together
    /// anew, or lies askew, is copied.
    ///
    /// - Throws: `WeightError` naming the first tensor that is missing or misshapen.
    public func stored(_ parameters: [Parameter]) throws -> [StoredWeight] {
        try parameters.map(stored)
    }

    private func stored(_ parameter: Parameter) throws -> StoredWeight {
        let transform = transform(parameter.key)
        guard let place = checkpoint[transform.source] else {
            throw WeightError(
                file: checkpoint.location, key: transform.source, reason: .missing(count: 1))
        }
        let weight = try transform(checkpoint.weight(at: place), shape: parameter.shape)
        guard weight.shape == parameter.shape else {
            throw WeightError(
                file: place.file.path, key: place.info.name,
                reason: .unexpectedShape(expected: parameter.shape, found: weight.shape))
        }
        return weight
    }

    /// The tensors that a parameter's values are in, the weight and its scale; none when the file
    /// does not have them.
    ///
    /// Parameters that share a tensor each name all of it.
    public func places(_ parameter: Parameter) -> [Place] {
        let name = transform(parameter.key).source
        guard let weight = checkpoint[name] else { return [] }
        return [weight] + [checkpoint.scale(of: name)].compactMap(\.self)
    }

    /// Whether a parameter's rows are rotated in the file, to be multiplied as integers.
    func isRotated(_ parameter: Parameter) -> Bool {
        places(parameter).dropFirst().contains {
            $0.info.name.hasSuffix("." + ScaleTensorName.rotatedScale.rawValue)
        }
    }

    /// How a parameter's values are stored in the file.
    func type(_ parameter: Parameter) -> WeightType? { places(parameter).first?.info.type }

    /// The bytes of a parameter's values, without those of others that share a tensor with it.
    public func byteCount(_ parameter: Parameter) -> Int {
        guard let first = places(parameter).first else { return 0 }
        let scales = places(parameter).dropFirst().reduce(0) { $0 + $1.info.byteCount }
        return first.info.type.byteCount(of: parameter.shape.reduce(1, *)) + scales
    }

    /// Looks for values that are not finite; reads all that the parameters take from the file.
    ///
    /// - Throws: `WeightError` naming the first tensor with such values.
    public func requireFinite(_ parameters: [Parameter]) throws {
        for parameter in parameters {
            guard let place = places(parameter).first else { continue }
            let weight = try stored(parameter)
            let values =
                try weight.tensors[0].dtype.byteCount == 1
                ? weight.value(dtype: .float32, device: .cpu) : weight.tensors[0]
            guard try values.isFinite().allTrue() else {
                throw WeightError(
                    file: place.file.path, key: place.info.name, reason: .notFinite)
            }
        }
    }

    /// What the parameters will read, in the order of the files.
    public func pieces(for parameters: [Parameter]) -> [ReadAhead.Piece] {
        var known: Set<String> = []
        return parameters.flatMap(places).filter { known.insert($0.info.name).inserted }
            .sorted {
                ($0.file.path, $0.info.range.lowerBound) < ($1.file.path, $1.info.range.lowerBound)
            }
            .map { ReadAhead.Piece(file: $0.file, info: $0.info) }
    }
}

extension StoredWeight {
    /// The weight where a model computes: itself on the CPU, else a copy.
    func placed(on device: Device, dtype: DType?) throws -> StoredWeight {
        guard device.kind != .cpu else { return self }
        if case .dense(let values) = self {
            // What has fewer bits in the file is not made larger on a device.
            let narrower = dtype.map { $0.byteCount < values.dtype.byteCount } ?? false
            return .dense(try values.to(dtype: narrower ? dtype : nil, device: device))
        }
        return try replacing(tensors.map { try $0.to(device: device) })
    }
}
