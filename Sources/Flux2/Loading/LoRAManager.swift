internal import FluxModels
internal import LoRA
internal import Torch

/// The LoRAs of a model: read once, put on and taken off as generations ask for them.
///
/// Those of text encoder and autoencoder always work beside the weights.
final class LoRAManager {
    private let parameters: [Component: [Parameter]]
    private let targets: AdapterTargets
    private let dtype: DType
    private let device: Device
    private var known: [String: (changes: LoRAChanges, file: LoRAFile)] = [:]
    /// What trainings call the model's own weights.
    private let wholeNames: Set<String>

    /// - Parameter family: the text encoder's, which decides what trainings call its weights.
    init(
        _ transformer: [Parameter], encoder: [Parameter] = [], autoencoder: [Parameter] = [],
        family: TextEncoderConfiguration.Family? = nil, dtype: DType, device: Device
    ) {
        parameters = [
            .transformer: transformer, .textEncoder: encoder, .autoencoder: autoencoder,
        ]
        targets = AdapterTargets(parameters.values.joined().shapes)
        wholeNames = Set(
            parameters.flatMap { component, all in
                all.flatMap { [$0.key, component.trainingPrefix(family) + $0.key] }
            })
        self.dtype = dtype
        self.device = device
    }

    private func parameters(of component: Component) -> [Parameter] { parameters[component] ?? [] }

    /// Reads files that have not been read.
    ///
    /// - Throws: `LoRAError`, also for a file of which modules of blocks do not fit, unless its use
    ///   allows that; `SafetensorsError`, `FileError`.
    func read(_ uses: [LoRAUse], _ onEvent: (GenerationEvent) -> Void) throws {
        for use in uses {
            let isNew = known[use.path] == nil
            let (changes, file) = try known[use.path] ?? opened(use.path)
            known[use.path] = (changes, file)
            if !use.mayBePartial { try file.requireAllBlocks(without: changes.unmatched) }
            let unmatched = changes.unmatched + file.foreignTensors
            if isNew {
                onEvent(
                    .readLoRA(
                        path: use.path, changed: changes.adapters.count, unmatched: unmatched,
                        ofTextEncoder: changes.ignoredTensors))
            }
            warn(use.path, unmatched, ofTextEncoder: changes.ignoredTensors, onEvent)
            try refuseOneSide(use)
        }
    }

    private func opened(_ path: String) throws -> (LoRAChanges, LoRAFile) {
        let file = try LoRAFile(path: path)
        try refuseWholeWeights(file)
        return (try file.changes(for: targets).to(dtype: dtype, device: device), file)
    }

    private func warn(
        _ path: String, _ unmatched: [String], ofTextEncoder: Int,
        _ onEvent: (GenerationEvent) -> Void
    ) {
        if let first = unmatched.first {
            onEvent(
                .warned(
                    "\(path): \(unmatched.count) names, such as '\(first)', are none of this "
                        + "model's and have no effect"))
        }
        if ofTextEncoder > 0 {
            onEvent(.warned("\(path): \(ofTextEncoder) tensors of text encoders are ignored"))
        }
    }

    /// The autoencoder runs once, not in the conditional and unconditional passes.
    private func refuseOneSide(_ use: LoRAUse) throws {
        guard use.branch != nil, changes(use, .autoencoder) else { return }
        throw LoRAError(
            path: use.path,
            reason: .unsupported(
                "a change of the autoencoder on the conditional or unconditional pass alone"))
    }

    /// A file may hold a LoRA and whole weights, of which only the first would work.
    private func refuseWholeWeights(_ file: LoRAFile) throws {
        let whole = file.foreignTensors.filter(wholeNames.contains).sorted()
        guard let first = whole.first else { return }
        throw LoRAError(path: file.path, reason: .wholeWeights(count: whole.count, first: first))
    }

    /// What LoRAs take in memory: as they are, or, folded in, the weights that they change.
    func byteCount(_ uses: [LoRAUse], mode: LoRAUse.Mode) -> Int {
        let changes = uses.compactMap { known[$0.path]?.changes }
        let own = changes.flatMap(\.adapters.values).flatMap(\.delta.tensors)
            .reduce(0) { $0 + $1.byteCount }
        guard mode == .fused else { return own }
        let changed = Set(changes.flatMap(\.adapters.keys))
        return own
            + parameters(of: .transformer).filter { changed.contains($0.key) }
            .reduce(0) { $0 + $1.shape.reduce(dtype.byteCount, *) }
    }

    // MARK: The transformer

    /// Folds LoRAs that work on both branches into the weights, or none.
    func fuse(_ uses: [LoRAUse], mode: LoRAUse.Mode) throws {
        let fused = mode == .fused ? uses.filter { $0.branch == nil } : []
        for parameter in parameters(of: .transformer) {
            try parameter.fuse(adapters(of: parameter, fused), dtype: dtype)
        }
    }

    /// Puts on what a branch needs beside the weights.
    func activate(_ uses: [LoRAUse], mode: LoRAUse.Mode, for branch: GuidanceBranch) {
        put(
            uses.filter { $0.branch == branch || ($0.branch == nil && mode == .hot) },
            on: .transformer)
    }

    /// What lies beside the weights while they are used, without values.
    func shapes(_ uses: [LoRAUse], mode: LoRAUse.Mode) throws -> MetaAdapters {
        var shapes = MetaAdapters()
        for branch in GuidanceBranch.allCases {
            let hot = uses.filter { $0.branch == branch || ($0.branch == nil && mode == .hot) }
            shapes.ofTransformer[branch] = try self.shapes(hot, of: .transformer)
        }
        for component in [Component.textEncoder, .autoencoder] {
            shapes.beside[component] = try self.shapes(uses, of: component)
        }
        return shapes
    }

    private func shapes(
        _ uses: [LoRAUse], of component: Component
    ) throws -> MetaAdapters.Changes {
        guard !uses.isEmpty else { return [:] }
        let all = parameters(of: component).map { ($0.key, adapters(of: $0, uses)) }
        return try MetaAdapters.of(
            Dictionary(uniqueKeysWithValues: all).filter { !$1.isEmpty }, dtype: dtype)
    }

    // MARK: Other components

    /// The LoRAs that change a component in one of the passes of guidance.
    func uses(_ all: [LoRAUse], changing component: Component, for branch: GuidanceBranch?)
        -> [LoRAUse]
    {
        all.filter { ($0.branch == nil || $0.branch == branch) && changes($0, component) }
    }

    private func changes(_ use: LoRAUse, _ component: Component) -> Bool {
        guard use.strength != 0, let adapters = known[use.path]?.changes.adapters else {
            return false
        }
        return parameters(of: component).contains { adapters[$0.key] != nil }
    }

    /// Puts LoRAs beside the weights of a component.
    func put(_ uses: [LoRAUse], on component: Component) {
        for parameter in parameters(of: component) {
            parameter.adapters = adapters(of: parameter, uses)
        }
    }

    /// Takes off all that lies beside weights.
    func deactivate() {
        parameters.values.joined().forEach { $0.adapters = [] }
    }

    private func adapters(of parameter: Parameter, _ uses: [LoRAUse]) -> [Adapter] {
        uses.compactMap { use in
            guard use.strength != 0,
                let adapter = known[use.path]?.changes.adapters[parameter.key]
            else { return nil }
            adapter.strength = use.strength
            return adapter
        }
    }
}
