internal import Files
internal import FluxModels
internal import Foundation
internal import Torch

extension TrainingSession {
    private var folder: String { settings.output.folder }

    // MARK: Checkpoints

    /// A checkpoint after so many steps, where those are asked for.
    func saveStep() throws {
        guard let every = settings.output.saveEvery, progress.steps % every == 0 else { return }
        try saveNow("step-\(progress.steps)")
    }

    /// Goes to the next epoch, with a checkpoint where none is asked for after steps.
    func endEpoch() throws -> String? {
        progress.epoch += 1
        progress.batch = 0
        boundary = (progress, try draws.state())
        guard settings.output.saveEvery == nil else { return nil }
        return try saveNow("epoch-\(progress.epoch - 1)")
    }

    /// The last steps, where they have none yet.
    func saveEnd() throws -> String? {
        guard let every = settings.output.saveEvery else { return nil }
        guard progress.steps % every != 0 else {
            return "\(folder)/step-\(progress.steps).safetensors"
        }
        return try saveNow("step-\(progress.steps)")
    }

    @discardableResult
    func saveNow(_ name: String) throws -> String? {
        var path: String?
        if group.isFirst {
            var writer = CheckpointWriter(
                folder: folder, removedPrefix: settings.output.removedPrefix)
            writer.dialect = settings.output.dialect
            writer.metadata = metadata
            path = try writer.write(weights, as: name, values: averages())
            onEvent(.saved(path: path ?? name))
        }
        if settings.output.keepsState { try saveState() }
        return path
    }

    /// Averages take the weights' place in checkpoints; resuming needs both.
    private func averages() throws -> [String: Tensor] {
        guard let average = updater.average else { return [:] }
        return try average.state().filter { $0.key.hasSuffix(".ema") }
            .mapKeys { String($0.dropLast(".ema".count)) }
    }

    private var metadata: [String: String] {
        var notes = [
            "flux2.step": "\(progress.steps)", "flux2.epoch": "\(progress.epoch)",
            "flux2.task": settings.task.rawValue, "flux2.data": identity.data,
            "flux2.seed": "\(settings.seed)",
        ]
        notes["flux2.base_model"] = settings.output.baseModel
        if settings.method.loraBase != nil {
            notes["flux2.lora_rank"] = "\(settings.method.loraRank)"
            notes["flux2.lora_alpha"] = "\(settings.method.appliedAlpha)"
            notes["flux2.lora_target_modules"] = "\(settings.method.loraTargets)"
        }
        return notes
    }

    // MARK: State

    /// Writes what resuming needs, as of the last update.
    func saveState() throws {
        // Parts of it lie on all processes.
        var tensors = try updater.state()
        for (key, bytes) in boundary.draws {
            tensors["draws.\(group.rank).\(key)"] = try .from(bytes)
        }
        tensors = try gathered(tensors)
        guard group.isFirst else { return }
        for parameter in weights.parameters {
            tensors["weights." + parameter.name] = parameter.tensor
        }
        try TrainingState(progress: boundary.progress, identity: identity, tensors: tensors)
            .write(to: folder)
    }

    /// The draws of all processes, on the first; optimizer state is there already.
    private func gathered(_ tensors: [String: Tensor]) throws -> [String: Tensor] {
        guard group.size > 1, settings.drawOrder == .torch else { return tensors }
        let draws = tensors.filter { $0.key.hasPrefix("draws.") }
        return try group.collect(draws).reduce(into: tensors) { all, part in
            all.merge(part) { _, new in new }
        }
    }

    /// Goes on from a state, where that is asked for.
    func resume() throws {
        guard settings.output.resumes else { return try openLogs(continuingAfter: nil) }
        let path = TrainingState.path(in: folder)
        guard let state = try TrainingState.read(from: folder) else {
            throw TrainingError(reason: .foreignState("\(path): there is no state to resume from"))
        }
        try state.check(against: identity, path: path)
        if group.isFirst {
            AtomicFile.discardAbandoned(in: folder) { name in
                [".safetensors", ".json", ".html", ".csv", ".jsonl"].contains(
                    where: name.hasSuffix)
            }
        }
        try withoutGradients {
            let values = state.tensors.part("weights.")
            for parameter in weights.parameters {
                guard let value = values[parameter.name], value.shape == parameter.tensor.shape
                else {
                    throw TrainingError(
                        reason: .foreignState("\(path): has no '\(parameter.name)' that fits"))
                }
                try parameter.tensor.assign(value)
            }
            try updater.restore(state.tensors, updates: state.progress.updates)
            let own = try state.tensors.part("draws.\(group.rank).").mapValues {
                try $0.values(as: UInt8.self)
            }
            if settings.drawOrder == .torch { try draws.restore(own) }
        }
        progress = state.progress.scaled(
            from: state.identity.processes, to: group.size)
        boundary = (progress, try draws.state())
        try openLogs(continuingAfter: progress.steps)
        onEvent(.resumed(step: progress.steps, path: path))
    }
}

extension TrainingProgress {
    /// The same place in the data for another number of processes, whose micro-steps are longer or
    /// shorter.
    func scaled(from before: Int, to now: Int) -> TrainingProgress {
        var scaled = self
        scaled.batch = (batch * before + now - 1) / now
        scaled.steps = (steps * before + now - 1) / now
        return scaled
    }
}

/// How to use what was trained.
public enum Usage {
    /// A command that makes a picture with a checkpoint, or a model with it; nil where none takes it.
    public static func line(_ path: String, _ settings: TrainingSettings) -> String? {
        let model = settings.output.baseModel ?? "MODEL"
        if let option = option(settings.method) {
            return "flux2 generate \"…\" -m \(model) \(option) \(path)"
        }
        guard settings.method.loraBase == nil, !settings.method.trained.isEmpty else { return nil }
        return "flux2 assemble \(model) --checkpoint \(path) -o FOLDER"
    }

    /// Whole transformers and LoRAs of them can be used, not both in one file.
    private static func option(_ method: MethodSettings) -> String? {
        let places = method.trained + [method.loraBase].compactMap(\.self)
        guard places.allSatisfy({ $0.component == .transformer }) else { return nil }
        if method.loraBase != nil { return method.trained.isEmpty ? "--lora" : nil }
        return method.trained.contains { $0.module.isEmpty } ? "--transformer" : nil
    }
}
