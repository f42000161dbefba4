internal import Domains
internal import Flux2
internal import Offloading
internal import Checkpoints
public import FluxModels
public import LoRA
public import Torch

/// The tensors that training changes: whole weights, or adapters beside them.
public final class TrainableWeights {
    /// All of them, under the names that DiffSynth-Studio's modules have, `pipe.dit.` and so on
    /// included.
    public private(set) var parameters: [TrainableParameter] = []
    /// Adapters by canonical parameter name; none where whole weights are trained.
    public private(set) var adapters: [String: Adapter] = [:]
    /// The component that the adapters belong to.
    public private(set) var adapted: Component?
    /// Components with something to train.
    public private(set) var components: Set<Component> = []
    private let parts: TrainingParts

    package init(_ parts: TrainingParts) { self.parts = parts }

    /// The number of values that are trained.
    public var count: Int { parameters.reduce(0) { $0 + $1.tensor.count } }

    private func prefix(_ component: Component) -> String {
        component.trainingPrefix(parts.textEncoder?.model.configuration.family)
    }

    // MARK: Whole weights

    /// Trains weights themselves, in the type that is computed in and in private memory. Running
    /// statistics, which move by small steps, are kept in float32.
    ///
    /// - Throws: `RequestError` for a place that is not there; what loading throws.
    public func train(_ place: TrainableModule) throws {
        let chosen = try parts.trained(at: place)
        try parts.load(place.component)
        for parameter in chosen {
            let isStatistic = place.component == .autoencoder && parameter.key.hasPrefix("bn.")
            let sample = try Tensor.empty(
                [0], dtype: isStatistic ? .float32 : parts.dtype, device: parts.device)
            if case .loaded(.dense(let values)) = parameter.storage, values.requiresGradient {
                continue
            }
            let values = try parameter.value(like: sample).copy()
            try values.requireGradient()
            try parameter.load(values)
            parameters.append(
                TrainableParameter(prefix(place.component) + parameter.key, values))
        }
        components.insert(place.component)
    }

    /// Takes the weights of a full checkpoint in place of the model's own, before anything is trained.
    ///
    /// - Parameters:
    ///   - prefix: what was taken off its names when it was written.
    ///   - leavesLoRA: whether a LoRA that is in it as well is taken up elsewhere.
    /// - Throws: `ModelError` for a name that the model does not have, and for a LoRA.
    public func restoreWeights(_ path: String, prefix: String, leavesLoRA: Bool = false) throws {
        let file = try SafetensorsFile(path: path)
        let weights = try wholeWeights(of: file, leavesLoRA)
        let places = Dictionary(
            Component.allCases.flatMap { component in
                (parts.parameters(of: component) ?? []).map {
                    (self.prefix(component) + $0.key, (component, $0))
                }
            }
        ) { first, _ in first }
        let found = try weights.map { info in
            guard let place = places[prefix + info.name] ?? places[info.name] else {
                throw ModelError(
                    path: path, reason: .mismatch("'\(info.name)' is none of the model's weights"))
            }
            return (info, place)
        }
        for component in Set(found.map(\.1.0)) { try parts.load(component) }
        for (info, (_, parameter)) in found {
            try parameter.load(Tensor.mapped(info, of: file).to(device: parts.device))
        }
    }

    private func wholeWeights(of file: SafetensorsFile, _ leavesLoRA: Bool) throws -> [TensorInfo] {
        guard file.tensors.contains(where: { $0.name.contains("lora_") }) else {
            return file.tensors
        }
        let whole = try LoRAFile(path: file.path).foreignTensors.compactMap { file[$0] }
        guard !whole.isEmpty else {
            throw ModelError(
                path: file.path,
                reason: .mismatch(
                    "is a LoRA, which --lora_checkpoint goes on from; --resume_from_checkpoint takes a "
                        + "full checkpoint"))
        }
        guard leavesLoRA else {
            throw ModelError(
                path: file.path,
                reason: .mismatch(
                    "holds a LoRA beside \(whole.count) whole weights; give it to --lora_checkpoint, too"
                ))
        }
        return whole
    }

    // MARK: Adapters

    /// Puts low-rank changes beside linear layers and trains those.
    ///
    /// The first matrix is drawn uniformly from ±1/√in, the second is 0.
    ///
    /// - Parameter alpha: the change is multiplied with alpha over rank; nil and 0 are the rank.
    /// - Throws: `LoRATargetError`; what loading throws.
    public func addAdapters(
        to place: TrainableModule, targets: LoRATargets, rank: Int, alpha: Double? = nil,
        seed: UInt64
    ) throws {
        let all = try parts.parameters(at: place, "--lora_base_model")
        let shapes = all.shapes
        let keys = Set(try targets.keys(among: shapes))
        let generator = try Generator(seed: SeedSequence.seed(seed, 3))
        for (value, setting) in [(Double(rank), NumericSetting.loraRank), (alpha ?? 0, .loraAlpha)]
        {
            try setting.require(value)
        }
        let scale = alpha.flatMap { $0 == 0 ? nil : $0 / Double(rank) } ?? 1
        try parts.load(place.component)
        for parameter in all where keys.contains(parameter.key) {
            let (outputs, inputs) = (parameter.shape[0], parameter.shape[1])
            let bound = 1 / Double(inputs).squareRoot()
            let down = try trainable(
                Tensor.rand([rank, inputs], generator: generator) * (2 * bound) - bound)
            let up = try trainable(.zeros([outputs, rank]))
            let adapter = Adapter(.lowRank(down: down, up: up), scale: scale)
            parameter.adapters.append(adapter)
            adapters[parameter.key] = adapter
            let layer = prefix(place.component) + parameter.key.dropLast(".weight".count)
            parameters += [
                TrainableParameter("\(layer).lora_A.default.weight", down),
                TrainableParameter("\(layer).lora_B.default.weight", up),
            ]
        }
        adapted = place.component
        components.insert(place.component)
    }

    private func trainable(_ values: Tensor) throws -> Tensor {
        let leaf = try values.to(dtype: parts.dtype, device: parts.device).copy()
        try leaf.requireGradient()
        return leaf
    }

    /// Begins with the adapters of a file instead of new ones.
    ///
    /// - Returns: modules of the file that are not trained, and trained ones that it does not have.
    /// - Throws: `LoRAError` when nothing fits, or ranks differ.
    public func load(_ file: LoRAFile) throws -> (unused: [String], absent: [String]) {
        guard let adapted, let all = parts.parameters(of: adapted) else { return ([], []) }
        let changes = try file.changes(for: AdapterTargets(all.shapes))
        var absent = Set(adapters.keys)
        var unused = changes.unmatched + changes.unmatchedOfTextEncoder
        for (key, change) in changes.adapters.sorted(by: { $0.key < $1.key }) {
            guard let adapter = adapters[key] else {
                unused.append(key)
                continue
            }
            try assign(change, to: adapter, key, file)
            absent.remove(key)
        }
        guard absent.count < adapters.count else {
            throw LoRAError(
                path: file.path, reason: .noMatch(modules: file.modules.count, first: unused[0]))
        }
        return (unused.sorted(), absent.sorted())
    }

    private func assign(
        _ change: Adapter, to adapter: Adapter, _ key: String, _ file: LoRAFile
    ) throws {
        guard case .lowRank(let down, let up) = change.delta, change.magnitude == nil,
            case .lowRank(let ownDown, let ownUp) = adapter.delta
        else {
            throw LoRAError(
                path: file.path,
                reason: .unsupported("'\(key)' is not of low rank; training it further"))
        }
        guard down.size(0) == ownDown.size(0) else {
            throw LoRAError(
                path: file.path,
                reason: .otherRank(key, expected: ownDown.size(0), found: down.size(0)))
        }
        guard down.shape == ownDown.shape, up.shape == ownUp.shape else {
            throw LoRAError(
                path: file.path,
                reason: .unexpectedShape(key, expected: ownDown.shape, found: down.shape))
        }
        try withoutGradients {
            let ratio = change.scale / adapter.scale
            try ownDown.assign(
                ratio == 1 ? down : (down.to(dtype: .float32) * ratio))
            try ownUp.assign(up)
        }
    }

    /// Folds a LoRA into the frozen weights before anything is put beside them, or applies it beside
    /// them where weights are not kept as they are computed with.
    ///
    /// - Source: `load_training_preset_lora`, DiffSynth-Studio.
    /// - Returns: modules of the file that the model does not have.
    public func preset(_ file: LoRAFile, on component: Component) throws -> [String] {
        let all = try parts.parameters(at: TrainableModule(component), "--preset_lora_model")
        try parts.load(component)
        let changes = try file.changes(for: AdapterTargets(all.shapes))
            .to(dtype: parts.dtype, device: parts.device)
        try withoutGradients {
            for parameter in all {
                guard let adapter = changes.adapters[parameter.key] else { continue }
                if case .loaded(.dense(let values)) = parameter.storage, values.dtype == parts.dtype
                {
                    try parameter.fuse([adapter], dtype: parts.dtype)
                } else {
                    parameter.adapters.append(adapter)
                }
            }
        }
        return changes.unmatched + changes.unmatchedOfTextEncoder + file.foreignTensors
    }
}
