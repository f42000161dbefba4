internal import Torch

/// What the weights of a model take, told from a file's header.
public struct WeightSizes {
    /// Groups of weights that are used together, in the order of their use.
    public let units: [WeightGroupSize]
    /// Bytes of the weights that are used all the time and belong on the device.
    public let small: Int
    /// Bytes of the weights that never leave the host.
    public let host: Int
    /// Elements of the largest matrix that has to be converted each time it is used, those among them
    /// that may be multiplied as integers instead.
    public let largestConversion: Int
    /// The same without those that are.
    private let largestBesideIntegers: Int
    /// The length of the longest row of matrices that are multiplied as integers.
    private let longestIntegers: Int
    private let dtype: DType
    /// Whether weights are quantized here, into memory of this process.
    public let isQuantized: Bool
    /// Bytes of those; the others stay in a mapped file where the processor computes.
    public let quantized: Int
    /// How most weights are kept: the name of a type, of blocks or of a way to quantize them.
    public let format: String

    /// Bytes of all weights.
    public var all: Int { units.reduce(small + host) { $0 + $1.byteCount } }

    init(
        _ loader: WeightLoader, _ parameters: [Parameter], dtype: DType, policy: QuantizationPolicy,
        groups: [(name: String, parameters: [Parameter])], device: Device,
        staysOnHost: (Parameter) -> Bool
    ) {
        self.dtype = dtype
        func bytes(_ parameter: Parameter) -> Int {
            policy.format(of: parameter, in: loader)?.byteCount(of: parameter.shape)
                ?? loader.byteCount(parameter)
        }
        func sum(_ parameters: [Parameter]) -> Int { parameters.reduce(0) { $0 + bytes($1) } }
        units = groups.map { WeightGroupSize(name: $0.name, byteCount: sum($0.parameters)) }
        let grouped = groups.flatMap(\.parameters)
        let known = Set(grouped.map(ObjectIdentifier.init))
        let others = parameters.filter { !known.contains(ObjectIdentifier($0)) }
        small = sum(others.filter { !staysOnHost($0) })
        host = sum(others.filter(staysOnHost))
        let isQuantizedOf = parameters.map { policy.format(of: $0, in: loader) != nil }
        isQuantized = isQuantizedOf.contains(true)
        quantized = sum(zip(parameters, isQuantizedOf).filter(\.1).map(\.0))
        let converted = zip(parameters, isQuantizedOf).filter { parameter, isQuantized in
            !staysOnHost(parameter) && (isQuantized || loader.type(parameter)?.dtype != dtype)
        }.map(\.0)
        let multiplies = QuantizedTensor.areMultipliedAsIntegers(on: device, in: dtype)
        let integers = converted.filter {
            multiplies
                && (policy.format(of: $0, in: loader) == .int8Rotated || loader.isRotated($0))
        }
        let asIntegers = Set(integers.map(ObjectIdentifier.init))
        func largest(_ parameters: [Parameter]) -> Int {
            parameters.map { $0.shape.reduce(1, *) }.max() ?? 0
        }
        largestConversion = largest(converted)
        largestBesideIntegers = largest(
            converted.filter { !asIntegers.contains(ObjectIdentifier($0)) })
        longestIntegers = integers.compactMap(\.shape.last).max() ?? 0
        let counted = grouped.isEmpty ? parameters : grouped
        let names = counted.map {
            policy.format(of: $0, in: loader)?.name ?? loader.type($0)?.format ?? "none"
        }
        let counts = Dictionary(names.map { ($0, 1) }, uniquingKeysWith: +)
        format = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? "none"
    }
}

extension WeightSizes {
    /// Bytes that weights need for a short while when they are used without gradients: room for the
    /// largest as it is computed with, or for so many rows of what integers are multiplied with.
    public func scratchBytes(rows: Int) -> Int {
        let padded = (rows + 5) / 6 * 6 * ((longestIntegers + 63) / 64 * 64)
        return max(
            largestBesideIntegers * dtype.byteCount, longestIntegers > 0 ? padded + 4 * rows : 0)
    }
}

extension WeightType {
    /// The name that plans have for it: `bfloat16`, `Q8_0`.
    fileprivate var format: String { dtype?.name ?? name }
}
