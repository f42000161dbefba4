internal import Safetensors
public import Torch

/// The weights of one model: put where a plan wants them, and let go again.
public final class ArrangedWeights {
    /// Which group a weight belongs to; nil for those that are used all the time.
    public typealias Grouping = (Parameter) -> String?

    /// All weights of the model, in the order of their declaration.
    public let parameters: [Parameter]
    private let loader: WeightLoader
    private let device: Device
    private let dtype: DType
    private let grouping: Grouping
    private let staysOnHost: (Parameter) -> Bool
    /// How weights of 16 or 32 bits are kept; nil is as the file has them.
    private let packing: Packing?
    private let packs: (Parameter) -> Bool
    /// Weights that were packed, which is done once.
    private var packed: [String: StoredWeight] = [:]
    /// Where weights are now; nil when none are loaded.
    public private(set) var arrangement: Arrangement?
    /// Brings what is not there all the time.
    public private(set) var stream: WeightStream?
    /// What earlier streams have done.
    private var past = StreamCounters()

    /// - Parameters:
    ///   - dtype: the type that the model computes in.
    ///   - staysOnHost: whether a weight is never moved to a device, such as a table of which a few
    ///     rows are used.
    ///   - packing: how weights of 16 or 32 bits are kept; nil is as the file has them.
    ///   - packs: which of them are.
    public init(
        _ loader: WeightLoader, _ parameters: [Parameter], device: Device, dtype: DType,
        grouping: @escaping Grouping, staysOnHost: @escaping (Parameter) -> Bool = { _ in false },
        packing: Packing? = nil, packs: @escaping (Parameter) -> Bool = { _ in false }
    ) {
        self.loader = loader
        self.parameters = parameters
        self.device = device
        self.dtype = dtype
        self.grouping = grouping
        self.staysOnHost = staysOnHost
        self.packing = packing
        self.packs = packs
    }

    /// Puts weights in their places, unless they are there.
    ///
    /// - Throws: `WeightError` before anything is loaded; `TorchError` for want of memory.
    public func arrange(_ wanted: Arrangement) throws {
        guard wanted != arrangement else { return }
        try release()
        try loader.check(parameters)
        do {
            switch wanted {
            case .whole: try load(parameters, copying: false)
            case .slots(let resident, let settings):
                let streamed = groups().filter { !resident.contains($0.name) }
                try loadAll(except: streamed, copying: true)
                guard !streamed.isEmpty else { break }
                follow(
                    try WeightStream(
                        units(streamed), device: device, slots: settings.slots,
                        pinned: settings.pinned, releases: settings.releases,
                        poisons: settings.poisons))
            case .pages(let kept, let bounded):
                let groups = groups()
                try loadAll(except: groups, copying: false)
                let stay = groups.indices.filter { kept.contains(groups[$0].name) }
                follow(
                    try WeightStream(inPlace: units(groups), kept: Set(stay), bounded: bounded))
            }
        } catch {
            unload()
            throw error
        }
        arrangement = wanted
    }

    /// Lets go of all weights, and of a device's memory for them.
    public func release() throws {
        try stream?.rest()
        unload()
        if device.kind != .cpu { try Runtime.emptyCache(device) }
    }

    private func unload() {
        if let stream { past += stream.counters }
        stream = nil
        parameters.forEach { $0.unload() }
        arrangement = nil
    }

    /// What all streams have done since the start.
    public var counters: StreamCounters {
        var sum = past
        if let stream { sum += stream.counters }
        return sum
    }

    // MARK: Sizes

    /// The groups in the order of their use, by what the file's header says.
    public var unitSizes: [UnitSize] {
        groups().map { UnitSize(name: $0.name, byteCount: bytes($0.parameters)) }
    }

    /// Bytes of the weights that are used all the time and belong on the device.
    public var smallBytes: Int {
        bytes(parameters.filter { grouping($0) == nil && !staysOnHost($0) })
    }

    /// Bytes of the weights that never leave the host.
    public var hostBytes: Int { bytes(parameters.filter(staysOnHost)) }

    /// Bytes of all weights.
    public var byteCount: Int { bytes(parameters) }

    /// Elements of the largest matrix that has to be converted each time it is used; 0 where all are
    /// in the type that the model computes in.
    public var largestConversion: Int {
        parameters.filter { parameter in
            !staysOnHost(parameter)
                && (willPack(parameter) || loader.places(parameter).first?.info.type.dtype != dtype)
        }.map { $0.shape.reduce(1, *) }.max() ?? 0
    }

    /// Whether weights are packed here, into memory of this process.
    public var packsInMemory: Bool { parameters.contains(where: willPack) }

    /// How most weights are kept: the name of a type or of a way to pack them.
    public var format: String {
        let matrices = parameters.filter { grouping($0) != nil }
        let names = (matrices.isEmpty ? parameters : matrices).map { parameter in
            willPack(parameter) ? packing?.name ?? "" : storedName(parameter)
        }
        let counts = Dictionary(names.map { ($0, 1) }, uniquingKeysWith: +)
        return counts.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? "none"
    }

    private func storedName(_ parameter: Parameter) -> String {
        guard let type = loader.places(parameter).first?.info.type else { return "none" }
        return type.dtype?.name ?? type.rawValue
    }

    private func willPack(_ parameter: Parameter) -> Bool {
        guard let packing, packs(parameter), packing.fits(parameter.shape) else { return false }
        return (loader.places(parameter).first?.info.type.dtype?.byteCount ?? 1) > 1
    }

    private func bytes(_ parameters: [Parameter]) -> Int {
        parameters.reduce(0) { sum, parameter in
            guard let packing, willPack(parameter) else {
                return sum + loader.byteCount(parameter)
            }
            return sum + packing.byteCount(of: parameter.shape)
        }
    }

    // MARK: Loading

    private struct Group {
        var name: String
        var parameters: [Parameter]
    }

    private func groups() -> [Group] {
        var groups: [Group] = []
        var places: [String: Int] = [:]
        for parameter in parameters {
            guard let name = grouping(parameter) else { continue }
            if let place = places[name] {
                groups[place].parameters.append(parameter)
            } else {
                places[name] = groups.count
                groups.append(Group(name: name, parameters: [parameter]))
            }
        }
        return groups
    }

    private func units(_ groups: [Group]) throws -> [WeightUnit] {
        try groups.map { group in
            try WeightUnit(
                name: group.name, parameters: group.parameters,
                weights: stored(group.parameters),
                pieces: loader.pieces(for: group.parameters))
        }
    }

    private func stored(_ parameters: [Parameter]) throws -> [StoredWeight] {
        try zip(parameters, loader.stored(parameters)).map { parameter, weight in
            if let known = packed[parameter.key] { return known }
            guard let packing, willPack(parameter), case .dense(let values) = weight else {
                return weight
            }
            let result = StoredWeight.packed(try .packing(values, as: packing))
            packed[parameter.key] = result
            return result
        }
    }

    private func loadAll(except groups: [Group], copying: Bool) throws {
        let absent = Set(groups.flatMap(\.parameters).map(ObjectIdentifier.init))
        try load(
            parameters.filter { !absent.contains(ObjectIdentifier($0)) }, copying: copying)
    }

    /// - Parameter copying: whether also the CPU gets memory of its own for them.
    private func load(_ parameters: [Parameter], copying: Bool) throws {
        for (parameter, weight) in zip(parameters, try stored(parameters)) {
            let place = staysOnHost(parameter) ? .cpu : device
            let placed = try weight.placed(on: place, dtype: dtype)
            let copies = copying && device.kind == .cpu && !staysOnHost(parameter)
            try parameter.load(
                copies ? placed.replacing(placed.tensors.map { try $0.copy() }) : placed)
        }
    }

    private func follow(_ stream: WeightStream) {
        for parameter in stream.units.flatMap(\.parameters) { parameter.load(from: stream) }
        self.stream = stream
    }
}
