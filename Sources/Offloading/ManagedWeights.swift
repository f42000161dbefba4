internal import FileSupport
internal import Checkpoints
public import Torch

/// The weights of one model: loaded, streamed or released as a placement says.
public final class ManagedWeights {
    /// Which group a weight belongs to; nil for those that are used all the time.
    public typealias Grouping = (Parameter) -> String?

    /// All weights of the model, in the order of their declaration.
    public let parameters: [Parameter]
    let loader: WeightLoader
    private let device: Device
    private let dtype: DType
    private let grouping: Grouping
    private let staysOnHost: (Parameter) -> Bool
    private let policy: QuantizationPolicy
    /// Weights that were quantized, which is done once.
    private var quantized: [String: StoredWeight] = [:]
    /// Where weights are now; nil when none are loaded.
    public private(set) var placement: WeightPlacement?
    /// Loads what is not there all the time.
    public private(set) var stream: WeightStream?
    /// What earlier streams have done.
    private var past = StreamCounters()

    /// - Parameters:
    ///   - dtype: the type that the model computes in.
    ///   - staysOnHost: whether a weight is never moved to a device, such as a table of which a few
    ///     rows are used.
    ///   - policy: how weights of 16 or 32 bits are kept.
    public init(
        _ loader: WeightLoader, _ parameters: [Parameter], device: Device, dtype: DType,
        grouping: @escaping Grouping, staysOnHost: @escaping (Parameter) -> Bool = { _ in false },
        policy: QuantizationPolicy = .none
    ) {
        self.loader = loader
        self.parameters = parameters
        self.device = device
        self.dtype = dtype
        self.grouping = grouping
        self.staysOnHost = staysOnHost
        self.policy = policy
    }

    deinit {
        // Parameters hold the stream, which holds them.
        parameters.forEach { $0.unload() }
    }

    /// Puts weights in their places, unless they are there.
    ///
    /// - Throws: `WeightError` before anything is loaded; `TorchError` for want of memory.
    public func place(_ wanted: WeightPlacement) throws {
        guard wanted != placement else { return }
        try release()
        try loader.check(parameters)
        do {
            switch wanted {
            case .resident: try load(parameters, copying: false)
            case .streamed(let resident, let settings):
                let streamed = groups().filter { !resident.contains($0.name) }
                try loadAll(except: streamed, copying: true)
                guard !streamed.isEmpty else { break }
                attach(
                    try WeightStream(
                        units(streamed), device: device, slots: settings.slots,
                        pinned: settings.pinned, releases: settings.releases,
                        poisons: settings.poisons))
            case .paged(let kept, let bounded):
                try streamFromFiles(kept, bounded: bounded, directly: false)
            case .directIO(let kept, let bounded):
                try streamFromFiles(kept, bounded: bounded, directly: true)
            }
        } catch {
            unload()
            throw error
        }
        placement = wanted
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
        placement = nil
    }

    /// What all streams have done since the start.
    public var counters: StreamCounters {
        var sum = past
        if let stream { sum += stream.counters }
        return sum
    }

    // MARK: Sizes

    /// What the weights would take if they were kept by a policy; nil is the one that counts.
    public func sizes(_ policy: QuantizationPolicy? = nil) -> WeightSizes {
        WeightSizes(
            loader, parameters, dtype: dtype, policy: policy ?? self.policy,
            groups: groups().map { ($0.name, $0.parameters) }, device: device,
            staysOnHost: staysOnHost)
    }

    /// Bytes of all weights.
    public var byteCount: Int { sizes().all }

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

    private func units(_ groups: [Group]) throws -> [WeightGroup] {
        try groups.map { group in
            try WeightGroup(
                name: group.name, parameters: group.parameters,
                weights: stored(group.parameters),
                pieces: loader.pieces(for: group.parameters))
        }
    }

    private func stored(_ parameters: [Parameter]) throws -> [StoredWeight] {
        try zip(parameters, loader.stored(parameters)).map { parameter, weight in
            if let known = quantized[parameter.key] { return known }
            guard let format = policy.format(of: parameter, in: loader),
                case .dense(let values) = weight
            else { return weight }
            let result = StoredWeight.quantized(try .quantizing(values, as: format))
            quantized[parameter.key] = result
            return result
        }
    }

    private func loadAll(except groups: [Group], copying: Bool) throws {
        let absent = Set(groups.flatMap(\.parameters).map(ObjectIdentifier.init))
        try load(
            parameters.filter { !absent.contains(ObjectIdentifier($0)) }, copying: copying)
    }

    /// - Parameter copying: whether also the CPU gets private memory for them.
    private func load(_ parameters: [Parameter], copying: Bool) throws {
        for (parameter, weight) in zip(parameters, try stored(parameters)) {
            let place = staysOnHost(parameter) ? .cpu : device
            let placed = try weight.placed(on: place, dtype: dtype)
            let copies = copying && device.kind == .cpu && !staysOnHost(parameter)
            try parameter.load(
                copies ? placed.replacing(placed.tensors.map { try $0.copy() }) : placed)
        }
    }

    private func streamFromFiles(
        _ kept: Set<String>, bounded: Bool, directly: Bool
    ) throws {
        let groups = groups()
        try loadAll(except: groups, copying: false)
        let stay = Set(groups.indices.filter { kept.contains(groups[$0].name) })
        let units = try units(groups)
        let direct = directly ? try WeightStream(reading: units, kept: stay) : nil
        attach(direct ?? WeightStream(inPlace: units, kept: stay, bounded: bounded))
    }

    /// How much of the weights that belong to groups is in the system's memory, as a share.
    public func cachedShare() -> Double {
        let pieces = groups().flatMap { loader.pieces(for: $0.parameters) }
        let all = pieces.reduce(0) { $0 + $1.info.byteCount }
        let there = pieces.reduce(0) { $0 + $1.file.mapped.residentBytes($1.info.range) }
        return all > 0 ? Double(there) / Double(all) : 1
    }

    private func attach(_ stream: WeightStream) {
        for parameter in stream.groups.flatMap(\.parameters) { parameter.load(from: stream) }
        self.stream = stream
    }
}
