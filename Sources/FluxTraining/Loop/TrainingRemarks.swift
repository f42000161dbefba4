internal import Flux2
internal import FluxModels
internal import Offloading
internal import Torch

/// What is asked for and changes nothing, and what is known to go wrong; told before the first step.
struct TrainingRemarks {
    let settings: TrainingSettings
    let files: TrainingFiles
    let parts: TrainingParts

    /// A line each.
    func all() throws -> [String] {
        try extraInputs() + keptLayers()
            + (settings.task.encodesOnly ? [] : targets() + distilled())
    }

    // MARK: Names

    /// Columns that no part of the task looks at.
    private func extraInputs() -> [String] {
        let names = settings.data.extraInputs
        guard !settings.task.readsEncoded else {
            return names.isEmpty
                ? [] : ["--extra_inputs has no effect: samples were encoded with their inputs"]
        }
        return names.filter(hasNoEffect).map {
            "--extra_inputs: '\($0)' has no effect in this training"
        }
    }

    private func hasNoEffect(_ name: String) -> Bool {
        let distills = settings.task.distills
        let names = settings.data.extraInputs
        return switch name {
        case "cfg_scale": true
        case "num_inference_steps", "seed": !distills
        case "rand_device": !distills || !names.contains("seed")
        case "min_timestep_boundary", "max_timestep_boundary", "noise_scale": distills
        case "edit_image_auto_resize": !names.contains("edit_image")
        case "embedded_guidance":
            parts.transformer.map { !$0.model.configuration.embedsGuidance } ?? false
        default: false
        }
    }

    /// Layers that `--quant_options` excludes and no model has.
    private func keptLayers() -> [String] {
        files.keptAsStored.sorted { $0.key.rawValue < $1.key.rawValue }.flatMap {
            component, names in
            let layers = (parts.parameters(of: component) ?? []).map {
                String($0.key.dropLast(".weight".count))
            }
            return names.filter { name in
                !layers.contains { $0 == name || $0.hasSuffix("." + name) }
            }.map { "--quant_options: no layer of the \(component.rawValue) is called '\($0)'" }
        }
    }

    private func targets() throws -> [String] {
        guard let base = settings.method.loraBase else { return [] }
        let shapes = try parts.parameters(at: base, "--lora_base_model").shapes
        let names = settings.method.loraTargets.unmatched(among: shapes)
        guard let first = names.first else { return [] }
        return [
            "--lora_target_modules: \(names.count) names, such as '\(first)', are no linear layers of "
                + "this model and get no LoRA"
        ]
    }

    // MARK: Models

    private func distilled() -> [String] {
        let trained = settings.method.trained + [settings.method.loraBase].compactMap(\.self)
        guard !settings.task.distills, trained.contains(where: { $0.component == .transformer })
        else { return [] }
        let what: String
        switch files.distillation {
        case .none: return []
        case .known:
            what = "this model was distilled to few steps, which training on images may undo"
        case .likely:
            what =
                "this model is called klein without 'base', as those that were distilled to few steps, "
                + "which training on images may undo"
        }
        return [
            what
                + ": results may need more steps and guidance; the base model is the better start, "
                + "and a LoRA trained on it can be loaded into the distilled one"
        ]
    }
}
