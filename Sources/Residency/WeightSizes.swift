internal import Torch

/// What the weights of a model take, told from a file's header.
public struct WeightSizes {
    /// Groups of weights that are used together, in the order of their use.
    public let units: [UnitSize]
    /// Bytes of the weights that are used all the time and belong on the device.
    public let small: Int
    /// Bytes of the weights that never leave the host.
    public let host: Int
    /// Elements of the largest matrix that has to be converted each time it is used.
    public let largestConversion: Int
    /// Whether weights are packed here, into memory of this process.
    public let isPacked: Bool
    /// Bytes of those; the others stay in a mapped file where the processor computes.
    public let packed: Int
    /// How most weights are kept: the name of a type, of blocks or of a way to pack them.
    public let format: String

    /// Bytes of all weights.
    public var all: Int { units.reduce(small + host) { $0 + $1.byteCount } }

    init(
        _ loader: WeightLoader, _ parameters: [Parameter], dtype: DType, policy: PackingPolicy,
        groups: [(name: String, parameters: [Parameter])], staysOnHost: (Parameter) -> Bool
    ) {
        func bytes(_ parameter: Parameter) -> Int {
            policy.packing(of: parameter, in: loader)?.byteCount(of: parameter.shape)
                ?? loader.byteCount(parameter)
        }
        func sum(_ parameters: [Parameter]) -> Int { parameters.reduce(0) { $0 + bytes($1) } }
        units = groups.map { UnitSize(name: $0.name, byteCount: sum($0.parameters)) }
        let grouped = groups.flatMap(\.parameters)
        let known = Set(grouped.map(ObjectIdentifier.init))
        let others = parameters.filter { !known.contains(ObjectIdentifier($0)) }
        small = sum(others.filter { !staysOnHost($0) })
        host = sum(others.filter(staysOnHost))
        let isPackedOf = parameters.map { policy.packing(of: $0, in: loader) != nil }
        isPacked = isPackedOf.contains(true)
        packed = sum(zip(parameters, isPackedOf).filter(\.1).map(\.0))
        largestConversion =
            zip(parameters, isPackedOf).filter { parameter, isPacked in
                !staysOnHost(parameter) && (isPacked || loader.type(parameter)?.dtype != dtype)
            }.map { $0.0.shape.reduce(1, *) }.max() ?? 0
        let counted = grouped.isEmpty ? parameters : grouped
        let names = counted.map {
            policy.packing(of: $0, in: loader)?.name ?? loader.type($0)?.format ?? "none"
        }
        let counts = Dictionary(names.map { ($0, 1) }, uniquingKeysWith: +)
        format = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? "none"
    }
}

extension WeightType {
    /// The name that plans have for it: `bfloat16`, `Q8_0`.
    fileprivate var format: String { dtype?.name ?? name }
}
