internal import Domains
internal import FluxModels
internal import Foundation
internal import LoRA

extension TrainingSettings {
    /// Refuses settings that contradict each other, before anything is read.
    ///
    /// - Throws: `TrainingError`; about a number, in the words of these settings.
    public func check() throws {
        func require(_ holds: Bool, _ message: String) throws {
            if !holds { throw TrainingError(reason: .unfit(message)) }
        }
        do {
            try checkNumbers()
        } catch let error as NumberError {
            throw TrainingError(reason: .unfit("\(error)"))
        }
        try require(
            data.batchSize == 1 || drawOrder == .sample,
            "--draws torch is for --batch_size 1, as DiffSynth-Studio trains")
        try checkComponents()
        try checkFolders()
        guard !task.encodesOnly else { return }
        try require(
            !method.trained.isEmpty || method.loraBase != nil,
            "nothing is trained: give --trainable_models or --lora_base_model")
        try checkExport()
        try require(
            !streamsWeights || method.trained.isEmpty,
            "--enable_model_cpu_offload is for a LoRA: weights that are trained stay on the device")
        try require(
            method.loraCheckpoint == nil || method.loraBase != nil,
            "--lora_checkpoint needs --lora_base_model")
        try require(
            (method.presetLoRA == nil) == (method.presetComponent == nil),
            "--preset_lora_path and --preset_lora_model go together")
        try require(
            validation.validateEvery == nil || validation.heldOut > 0,
            "--validation_steps needs --validation_split")
        let shows = task == .autoencoder ? validation.heldOut > 0 : !validation.prompts.isEmpty
        try require(
            validation.sampleEvery == nil || shows,
            "--sample_steps needs "
                + (task == .autoencoder ? "--validation_split" : "--sample_prompt"))
    }

    /// - Throws: `NumberError` naming the setting.
    private func checkNumbers() throws {
        try NumericSetting.klWeight.check(divergenceWeight)
        try data.checkNumbers()
        try NumericSetting.loraRank.check(method.loraRank)
        try NumericSetting.loraAlpha.check(method.loraAlpha)
        try optimization.checkNumbers()
        try NumericSetting.saveSteps.check(output.saveEvery)
        try validation.checkNumbers()
    }

    /// What lies below encoded samples is read as samples.
    private func checkFolders() throws {
        func place(_ path: String) -> String {
            URL(fileURLWithPath: path).standardizedFileURL.resolvingSymlinksInPath().path
        }
        guard task.readsEncoded else { return }
        let (samples, folder) = (place(data.folder), place(output.folder))
        guard folder == samples || folder.hasPrefix(samples + "/") else { return }
        throw TrainingError(
            reason: .unfit(
                "--output_path \(output.folder) lies in --dataset_base_path, where checkpoints would be "
                    + "read as samples; name a folder beside it"))
    }

    /// Other programs' LoRA files have no place for anything but a LoRA of the transformer.
    private func checkExport() throws {
        guard output.dialect != .diffsynth else { return }
        let option = "--export \(output.dialect.rawValue) is for a LoRA of the dit alone: "
        guard method.loraBase?.component == .transformer else {
            throw TrainingError(
                reason: .unfit(option + "leave it out, or give --lora_base_model dit"))
        }
        guard method.trained.isEmpty else {
            throw TrainingError(
                reason: .unfit(
                    option + "weights of --trainable_models would be lost; leave one out"))
        }
    }

    private func checkAutoencoder() throws {
        let others = method.trained.contains { $0.component != .autoencoder }
        let useless: [(Bool, String)] = [
            (others || method.loraBase != nil, "trains the vae only"),
            (method.presetLoRA != nil, "has no use for --preset_lora_path"),
            (checkpointing != nil, "has no use for --use_gradient_checkpointing"),
            (isExact, "has no use for --exact_loss"),
            (!data.extraInputs.isEmpty, "has no use for --extra_inputs"),
            (!validation.prompts.isEmpty, "has no use for --sample_prompt"),
        ]
        guard let first = useless.first(where: \.0) else { return }
        throw TrainingError(reason: .unfit("--task vae " + first.1))
    }

    /// What has worked before samples are stored gets no gradients from them, and the autoencoder's
    /// own task reaches nothing else.
    private func checkComponents() throws {
        if task == .autoencoder { try checkAutoencoder() }
        guard task.encodesOnly || task.readsEncoded else { return }
        let trained = method.trained + [method.loraBase].compactMap(\.self)
        guard let other = trained.map(\.component).first(where: { $0 != .transformer }) else {
            return
        }
        let whole = task.rawValue.prefix { $0 != ":" }
        throw TrainingError(
            reason: .unfit(
                "--task \(task.rawValue): the \(other.rawValue) has done its work before samples are "
                    + "stored; --task \(whole) trains it"))
    }
}

extension DataSettings {
    /// The most pixels that are computed side by side.
    private static let mostPixels = 1 << 34

    /// - Throws: `NumberError` naming the setting.
    fileprivate func checkNumbers() throws {
        try NumericSetting.datasetRepeat.check(repeats)
        try NumericSetting.datasetNumWorkers.check(workers)
        try NumericSetting.height.check(height)
        try NumericSetting.width.check(width)
        try NumericSetting.maxPixels.check(maxPixels)
        try NumericSetting.batchSize.check(batchSize)
        try NumberDomain.integers(0...1_000_000_000_000_000, "bytes").check(keptBytes, "keptBytes")
        let pixels = height.flatMap { height in width.map { $0 * height } } ?? maxPixels
        guard batchSize * pixels <= Self.mostPixels else {
            throw NumberError(
                name: "batchSize",
                expected: "at most \(Self.mostPixels / pixels) for images of \(pixels) pixels",
                found: "\(batchSize)")
        }
    }
}

extension OptimizationSettings {
    /// - Throws: `NumberError` naming the setting.
    fileprivate func checkNumbers() throws {
        try NumericSetting.learningRate.check(learningRate)
        try NumericSetting.weightDecay.check(weightDecay)
        try NumericSetting.numEpochs.check(epochs)
        try NumericSetting.gradientAccumulationSteps.check(accumulation)
        try NumericSetting.lrWarmupSteps.check(warmup)
        try NumericSetting.maxGradNorm.check(clippedNorm)
        try NumericSetting.emaDecay.check(averageDecay)
        try NumericSetting.stopAfterSteps.check(stopAfterSteps)
        try NumericSetting.stopAfterSeconds.check(stopAfterSeconds)
    }
}

extension ValidationSettings {
    /// - Throws: `NumberError` naming the setting.
    fileprivate func checkNumbers() throws {
        try NumericSetting.validationSplit.check(heldOut)
        try NumericSetting.validationSteps.check(validateEvery)
        try NumericSetting.sampleSteps.check(sampleEvery)
        try NumericSetting.sampleHeight.check(sampleHeight)
        try NumericSetting.sampleWidth.check(sampleWidth)
        try NumericSetting.sampleInferenceSteps.check(sampleSteps)
        try NumericSetting.sampleCfgScale.check(sampleScale)
    }
}
