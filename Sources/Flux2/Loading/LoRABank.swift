internal import LoRA
internal import Torch

/// The LoRAs of a transformer: read once, put on and taken off as generations ask for them.
final class LoRABank {
    private let parameters: [Parameter]
    private let targets: AdapterTargets
    private let dtype: DType
    private let device: Device
    private var known: [String: (changes: LoRAChanges, file: LoRAFile)] = [:]

    init(_ parameters: [Parameter], dtype: DType, device: Device) {
        self.parameters = parameters
        targets = AdapterTargets(
            parameters.shapes)
        self.dtype = dtype
        self.device = device
    }

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
                        ofTextEncoder: file.textEncoderTensors.count))
            }
            warn(use.path, unmatched, ofTextEncoder: file.textEncoderTensors.count, onEvent)
        }
    }

    private func opened(_ path: String) throws -> (LoRAChanges, LoRAFile) {
        let file = try LoRAFile(path: path)
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

    /// What LoRAs take in memory: as they are, or, folded in, the weights that they change.
    func byteCount(_ uses: [LoRAUse], mode: LoRAUse.Mode) -> Int {
        let changes = uses.compactMap { known[$0.path]?.changes }
        let own = changes.flatMap(\.adapters.values).flatMap(\.delta.tensors)
            .reduce(0) { $0 + $1.byteCount }
        guard mode == .fused else { return own }
        let changed = Set(changes.flatMap(\.adapters.keys))
        return own
            + parameters.filter { changed.contains($0.key) }
            .reduce(0) { $0 + $1.shape.reduce(dtype.byteCount, *) }
    }

    /// Folds LoRAs that work on both branches into the weights, or none.
    func fuse(_ uses: [LoRAUse], mode: LoRAUse.Mode) throws {
        let fused = mode == .fused ? uses.filter { $0.branch == nil } : []
        for parameter in parameters {
            try parameter.fuse(adapters(of: parameter, fused), dtype: dtype)
        }
    }

    /// Puts on what a branch needs beside the weights.
    func activate(_ uses: [LoRAUse], mode: LoRAUse.Mode, for branch: GuidanceBranch) {
        let active = uses.filter {
            $0.branch == branch || ($0.branch == nil && mode == .hot)
        }
        for parameter in parameters {
            parameter.adapters = adapters(of: parameter, active)
        }
    }

    func deactivate() {
        parameters.forEach { $0.adapters = [] }
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
