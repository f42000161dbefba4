internal import FluxModels

extension TrainingSettings {
    /// Refuses settings that contradict each other, before anything is read.
    ///
    /// - Throws: `TrainingError` in the words of the command line.
    public func check() throws {
        func require(_ holds: Bool, _ message: String) throws {
            if !holds { throw TrainingError(reason: .unfit(message)) }
        }
        func positive(_ value: Int?, _ option: String) throws {
            try require(
                value.map { $0 > 0 } ?? true, "\(option) must be 1 or more, not \(value ?? 0)")
        }
        for (value, option) in [
            (data.repeats, "--dataset_repeat"), (optimization.epochs, "--num_epochs"),
            (optimization.accumulation, "--gradient_accumulation_steps"),
            (data.batchSize, "--batch_size"), (data.maxPixels, "--max_pixels"),
            (method.loraRank, "--lora_rank"),
        ] { try positive(value, option) }
        try positive(output.saveEvery, "--save_steps")
        try positive(inspection.validateEvery, "--validation_steps")
        try positive(inspection.sampleEvery, "--sample_steps")
        try require(data.workers >= 0, "--dataset_num_workers must be 0 or more")
        try require(
            optimization.learningRate >= 0 && optimization.learningRate.isFinite,
            "--learning_rate must be 0 or more, not \(optimization.learningRate)")
        try require(
            data.batchSize == 1 || drawOrder == .sample,
            "--draws torch is for --batch_size 1, as DiffSynth-Studio trains")
        try checkComponents()
        guard !task.encodesOnly else { return }
        try require(
            !method.trained.isEmpty || method.loraBase != nil,
            "nothing is trained: give --trainable_models or --lora_base_model")
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
            inspection.validateEvery == nil || inspection.heldOut > 0,
            "--validation_steps needs --validation_split")
        let shows = task == .autoencoder ? inspection.heldOut > 0 : !inspection.prompts.isEmpty
        try require(
            inspection.sampleEvery == nil || shows,
            "--sample_steps needs "
                + (task == .autoencoder ? "--validation_split" : "--sample_prompt"))
    }

    private func checkAutoencoder() throws {
        let others = method.trained.contains { $0.component != .autoencoder }
        let useless: [(Bool, String)] = [
            (others || method.loraBase != nil, "trains the vae only"),
            (method.presetLoRA != nil, "has no use for --preset_lora_path"),
            (recomputation != nil, "has no use for --use_gradient_checkpointing"),
            (isExact, "has no use for --exact_loss"),
            (!data.extraInputs.isEmpty, "has no use for --extra_inputs"),
            (!inspection.prompts.isEmpty, "has no use for --sample_prompt"),
            (
                divergenceWeight < 0 || !divergenceWeight.isFinite,
                "needs a --kl_weight of 0 or more, not \(divergenceWeight)"
            ),
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
