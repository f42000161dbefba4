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
        boundary = (progress, try sampler.state())
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
        // All processes have the same weights, and all end here.
        if let spoilt = try firstNotFinite() {
            throw TrainingError(step: progress.steps, reason: .weightNotFinite(spoilt))
        }
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

    private func firstNotFinite() throws -> String? {
        try TrainingState.firstNotFinite(
            Dictionary(weights.parameters.map { ($0.name, $0.tensor) }) { first, _ in first })
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
            "flux2.task": settings.task.rawValue,
            "flux2.data": Digest.of(rows.map { "\($0.text) \($0.files)" }),
            "flux2.seed": "\(settings.seed)",
        ]
        notes["flux2.base_model"] = settings.output.baseModel.map(BaseModelName.of)
        if settings.method.loraBase != nil {
            notes["flux2.lora_rank"] = "\(settings.method.loraRank)"
            notes["flux2.lora_alpha"] = "\(settings.method.appliedAlpha)"
            notes["flux2.lora_target_modules"] = "\(settings.method.loraTargets)"
        }
        return notes
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
    /// A command that makes an image with a checkpoint, or a model with it; nil where none takes it.
    public static func line(_ path: String, _ settings: TrainingSettings) -> String? {
        let model = settings.output.baseModel ?? "MODEL"
        if let option = option(settings.method) {
            return "flux2 generate \"…\" -m \(model) \(option) \(path)"
        }
        guard !settings.method.trained.isEmpty else { return nil }
        return "flux2 assemble \(model) --checkpoint \(path) -o FOLDER"
    }

    /// LoRAs and whole transformers can be used as they are, not both in one file.
    private static func option(_ method: MethodSettings) -> String? {
        if method.loraBase != nil { return method.trained.isEmpty ? "--lora" : nil }
        guard method.trained.allSatisfy({ $0.component == .transformer }) else { return nil }
        return method.trained.contains { $0.module.isEmpty } ? "--transformer" : nil
    }
}
