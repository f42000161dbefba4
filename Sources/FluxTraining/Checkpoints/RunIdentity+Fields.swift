internal import Flux2
internal import FluxModels
internal import Foundation
internal import ModelHub

extension RunIdentity {
    /// Takes down what decides a run, besides its samples.
    ///
    /// - Throws: `FileError` for files that cannot be read.
    init(
        _ settings: TrainingSettings, _ files: TrainingFiles, _ weights: TrainableWeights,
        dtype: String, processes: Int
    ) throws {
        seed = settings.seed
        drawsByProcess = settings.drawOrder == .torch
        self.processes = processes
        accumulation = settings.optimization.accumulation
        add("--task", settings.task.rawValue)
        add("--seed", "\(settings.seed)")
        add("--draws", settings.drawOrder.rawValue)
        add("--dtype", dtype)
        addMethod(settings.method, weights)
        try addFiles(settings, files)
        addData(settings)
        addOptimization(settings)
    }

    private mutating func add(_ name: String, _ value: String?, isFixed: Bool = true) {
        fields.append(Field(name: name, value: value ?? "none", isFixed: isFixed))
    }

    private mutating func addMethod(_ method: MethodSettings, _ weights: TrainableWeights) {
        add("--trainable_models", method.trained.isEmpty ? nil : Self.list(method.trained))
        add("--lora_base_model", method.loraBase.map { Self.list([$0]) })
        if method.loraBase != nil {
            add("--lora_rank", "\(method.loraRank)")
            add("--lora_alpha", "\(method.appliedAlpha)")
        }
        let shapes = weights.parameters.map { "\($0.name) \($0.tensor.shape)" }
        add("set of trained tensors", "\(shapes.count), digest \(Digest.brief(shapes))")
    }

    private static func list(_ places: [TrainableModule]) -> String {
        places.map { $0.component.rawValue + ($0.module.isEmpty ? "" : ".\($0.module)") }
            .joined(separator: ",")
    }

    /// Files count by what is in them, wherever they lie.
    private mutating func addFiles(_ settings: TrainingSettings, _ files: TrainingFiles) throws {
        for component in settings.task.components {
            guard let paths = files.weights[component] else { continue }
            let digest = try FileFingerprint.identity(of: paths, component)
            let kept =
                [files.storage[component]?.name].compactMap(\.self)
                + (files.keptAsStored[component] ?? [])
            add(
                "\(component.rawValue) as base model",
                (["digest \(Digest.brief([digest]))"] + kept).joined(separator: ", "))
        }
        let method = settings.method
        try add("--preset_lora_path", method.presetLoRA.map(Self.digest))
        // The state has what was made of it.
        try add("--lora_checkpoint", method.loraCheckpoint.map(Self.digest), isFixed: false)
        try add("--resume_from_checkpoint", method.weightsCheckpoint.map(Self.digest))
        guard settings.task.components.contains(.textEncoder) else { return }
        add("--text_length", "\(files.textLength)")
        let tokenizer = files.tokenizer.map { $0 + "/tokenizer.json" }
        guard let tokenizer, FileManager.default.fileExists(atPath: tokenizer) else { return }
        try add("tokenizer", Self.digest(tokenizer))
    }

    private static func digest(_ path: String) throws -> String {
        "digest \(Digest.brief([try FileFingerprint.identity(of: path)]))"
    }

    private mutating func addData(_ settings: TrainingSettings) {
        let data = settings.data
        add("--batch_size", "\(data.batchSize)")
        add("--dataset_repeat", "\(data.repeats)")
        add("--validation_split", "\(settings.validation.heldOut)")
        guard !settings.task.readsEncoded else { return }
        if let height = data.height, let width = data.width {
            add("--height and --width", "\(height) and \(width)")
        } else {
            add("--max_pixels", "\(data.maxPixels)")
        }
        add(
            "--extra_inputs",
            data.extraInputs.isEmpty ? nil : data.extraInputs.sorted().joined(separator: ","))
        add("--ignore_exif", "\(data.ignoresOrientation)")
        add("--drop_alpha", "\(data.dropsAlpha)")
    }

    private mutating func addOptimization(_ settings: TrainingSettings) {
        let optimization = settings.optimization
        if settings.task == .autoencoder {
            add("--kl_weight", "\(settings.divergenceWeight)")
        } else {
            add("--exact_loss", "\(settings.isExact)")
        }
        add("--optimizer", optimization.optimizer.rawValue)
        add("--master_weights", optimization.masterWeights.rawValue)
        add("--ema_decay", optimization.averageDecay.map { "\($0)" })
        add("--learning_rate", "\(optimization.learningRate)", isFixed: false)
        add("--weight_decay", "\(optimization.weightDecay)", isFixed: false)
        add(
            "--max_grad_norm", optimization.clippedNorm.flatMap { $0 == 0 ? nil : "\($0)" },
            isFixed: false)
        add(
            "--lr_scheduler", optimization.schedule.map { "\($0)" } ?? "diffsynth",
            isFixed: false)
        add("--lr_warmup_steps", "\(optimization.warmup)", isFixed: false)
    }
}

extension TrainingTask {
    /// The components whose weights decide what a run comes to.
    var components: [Component] {
        if self == .autoencoder { return [.autoencoder] }
        return readsEncoded ? [.transformer] : Component.allCases
    }
}
